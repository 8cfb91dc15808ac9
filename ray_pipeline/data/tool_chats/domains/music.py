"""Music: songs, playlists, volume, concerts."""

from __future__ import annotations

from typing import Final

from ray_pipeline.data.tool_chats.function import Function, Spread, may, need
from ray_pipeline.data.tool_chats.pools import CITIES, ISO_DATES
from ray_pipeline.data.tool_chats.values import Choice, Flag, Several, Whole, Words

_SONGS: Final = tuple(
    f"{first} {second}"
    for first in ("Amber", "Broken", "Crimson", "Distant", "Electric", "Frozen", "Golden", "Hollow", "Midnight", "Paper", "Silver", "Velvet")
    for second in ("Avenue", "Bells", "Carousel", "Daylight", "Fire", "Harbour", "Letters", "Mirror", "Rain", "River", "Summer", "Wings")
)
_ARTISTS: Final = tuple(
    f"The {first} {second}"
    for first in ("Brass", "Copper", "Daily", "Early", "Lonely", "Marble", "Northern", "Quiet", "Rusty", "Sleepy")
    for second in ("Foxes", "Gardeners", "Kites", "Owls", "Pilots", "Sailors", "Strangers", "Tigers")
)
_PLAYLISTS: Final = (
    "Autumn Walk", "Bedtime", "Best of Jazz", "Campfire", "Car Songs", "Chill Evening", "Choir Classics", "Coffee Break", "Dance Floor",
    "Deep Focus", "Dinner Party", "Easy Sunday", "Folk Favourites", "Friday Night", "Garage Days", "Gym Power", "Heavy Stuff", "Holiday Mix",
    "Indie Gems", "Kitchen Disco", "Lazy Morning", "Long Drive", "Love Songs", "Morning Run", "New Finds", "Nineties Hits", "Old Vinyl",
    "Piano Hour", "Rainy Days", "Road Trip", "School Days", "Slow Blues", "Soul Kitchen", "Study Time", "Summer Hits", "Wake Up", "Winter Lights",
    "Workout", "Yoga Flow", "Zen Garden",
)  # fmt: skip

FUNCTIONS: Final = (
    Function(
        name="play_song",
        description="Play a song",
        parameters=(need("song", Words(_SONGS), "title of the song"), may("artist", Words(_ARTISTS), "who plays it")),
        orders=("play {song}", "put on {song} by {artist}", 'play the song "{song}"', "let me hear {song} by {artist}"),
        asks=(
            "I want to hear {song}.",
            "Could you play {song} by {artist}?",
            "I'm in the mood for {song}. Play it, please.",
            "I haven't heard {song} by {artist} in ages. Put it on.",
        ),
        result=lambda d, a: {"status": d.pick(("playing", "queued"))},
        answers=("{song} is {status} now.", "I've found the song: {song} is {status}."),
        lacking=(
            ("Play a song by {artist}.", "Which song by {artist} would you like to hear?"),
            ("Play a song, please.", "Which song should I play?"),
            ("I want to hear that song again.", "What is the title of the song?"),
        ),
        again=("I meant the one by {artist}.",),
    ),
    Function(
        name="start_playlist",
        description="Start a saved playlist",
        parameters=(
            need("playlist", Words(_PLAYLISTS), "name of the playlist"),
            may("shuffle", Flag("in random order", "in its usual order"), "whether songs come in random order"),
        ),
        orders=(
            'start the playlist "{playlist}"',
            "play my {playlist} playlist",
            "put on my playlist {playlist} {shuffle}",
            'play the "{playlist}" playlist {shuffle}',
        ),
        asks=(
            "I'd like to listen to my {playlist} playlist.",
            "It's time for my {playlist} playlist.",
            "Could you start {playlist}, my playlist, {shuffle}?",
            "Let the playlist {playlist} run {shuffle}.",
        ),
        result=lambda d, a: {"status": d.pick(("playing", "started")), "songs": d.whole(12, 90)},
        answers=("Your playlist {playlist} with {songs} songs is {status}.", "{playlist} is {status}: it has {songs} songs."),
        lacking=(
            ("Start one of my playlists.", "Which playlist should I start?"),
            ("Play a playlist {shuffle}.", "Which playlist would you like to hear {shuffle}?"),
        ),
        again=("No, {playlist} instead.", "Rather play it {shuffle}."),
    ),
    Function(
        name="set_volume",
        description="Set the volume of the music",
        parameters=(
            need("level", Whole(0, 100), "from 0 to 100"),
            may("speaker", Choice(("kitchen", "bedroom", "bathroom", "office", "garden")), "only this speaker"),
        ),
        orders=(
            "set the volume to {level}",
            "turn the music to {level} percent",
            "set the {speaker} speaker to volume {level}",
            "turn the music in the {speaker} to {level}",
        ),
        asks=(
            "The music should be at {level} percent.",
            "Volume {level}, please.",
            "I'd like the {speaker} speaker at {level} percent.",
            "Could the volume be {level} in the {speaker}?",
        ),
        result=lambda d, a: {"volume": a["level"]},
        answers=("The volume is {volume} now.", "I've set the volume to {volume} percent."),
        lacking=(
            ("Change the volume of the {speaker} speaker.", "To which level should I set the {speaker} speaker?"),
            ("The music has the wrong volume.", "Which volume from 0 to 100 would you like?"),
        ),
        again=("A bit different: {level}.", "Make that {level}.", "And the same for the {speaker} speaker."),
        spread=Spread("speaker", ("Set the {speaker} speakers to volume {level}.", "Turn the music to {level} in the {speaker}.")),
    ),
    Function(
        name="create_playlist",
        description="Create a new playlist from songs",
        parameters=(need("name", Words(_PLAYLISTS), "name of the playlist"), need("songs", Several(_SONGS, 1, 3), "titles of its songs")),
        orders=(
            'make a new playlist "{name}" with {songs}',
            "create a playlist called {name} out of {songs}",
            "save {songs} as a new playlist named {name}",
        ),
        asks=(
            "I need a new playlist called {name} with {songs} on it.",
            "Could you put {songs} together as a new playlist, {name}?",
            "New playlist, please: {name}. It has {songs}.",
            "Take {songs} and make a playlist of that. It is called {name}.",
        ),
        result=lambda d, a: {"status": d.pick(("created", "saved")), "length": len(a["songs"])},
        answers=("The playlist {name} is {status}.", "Your new playlist {name} has been {status}."),
        lacking=(
            ("Create a playlist called {name}.", "Which songs should be on {name}?"),
            ("Make a playlist with {songs}.", "What should the playlist with {songs} be called?"),
        ),
        again=("Make another one, {name}, with the same songs.",),
    ),
    Function(
        name="find_concerts",
        description="Find concerts of an artist in a city",
        parameters=(
            need("artist", Words(_ARTISTS), "name of the artist"),
            need("city", Words(CITIES), "name of the city"),
            may("most_price", Whole(20, 150, 5), "tickets cost no more than this"),
        ),
        orders=(
            "find concerts of {artist} in {city}",
            "check whether {artist} play in {city}",
            "look for tickets up to {most_price} euros for {artist} in {city}",
        ),
        asks=(
            "Are {artist} playing in {city} soon?",
            "I'd love to see {artist} live in {city}. When can I?",
            "Is there a concert of {artist} in {city} for at most {most_price} euros?",
            "When are {artist} on stage in {city}?",
        ),
        result=lambda d, a: {"date": d.pick(ISO_DATES), "price": d.whole(15, a.get("most_price", 120))},
        answers=(
            "{artist} play in {city} on {date} for {price} euros.",
            "There is a concert of {artist} on {date} in {city}; tickets cost {price} euros.",
        ),
        lacking=(
            ("When do {artist} play?", "In which city would you like to see {artist}?"),
            ("Find me a concert in {city}.", "Which artist would you like to see in {city}?"),
        ),
        again=("And in {city}?", "What about {artist}?"),
        spread=Spread("city", ("Do {artist} play in {city}?", "Find concerts of {artist} in {city}.")),
    ),
)
