"""Calendar: events made, listed, moved and deleted, and free time."""

from __future__ import annotations

from typing import Final

from ray_pipeline.data.tool_chats.function import Function, Spread, may, need
from ray_pipeline.data.tool_chats.pools import DAYS, NAMES, TIMES
from ray_pipeline.data.tool_chats.values import Flag, Several, Whole, Words

_TITLES: Final = (
    "ballet class", "band practice", "blood test", "board meeting", "book club", "budget review", "car inspection", "chess night",
    "choir rehearsal", "client call", "coffee break", "company lunch", "cooking course", "dance lesson", "dentist appointment",
    "design review", "doctor's appointment", "driving lesson", "family dinner", "film night", "flat viewing", "football match",
    "fundraiser", "garden party", "guitar lesson", "haircut", "housewarming", "job interview", "kick-off meeting", "language course",
    "library visit", "marketing meeting", "museum tour", "parents' evening", "phone conference", "physio session", "piano lesson",
    "planning session", "pottery class", "product demo", "project update", "quiz night", "sales call", "school concert", "sprint review",
    "staff training", "swimming lesson", "tax appointment", "team lunch", "team meeting", "tennis match", "theatre evening",
    "vet visit", "wedding rehearsal", "wine tasting", "workshop", "yearly check-up",
)  # fmt: skip

FUNCTIONS: Final = (
    Function(
        name="create_event",
        description="Create an event in the calendar",
        parameters=(
            need("title", Words(_TITLES), "title of the event"),
            need("day", Words(DAYS), "weekday or date, as said"),
            need("time", Words(TIMES), "start, HH:MM"),
            may("minutes", Whole(15, 180, 15), "length in minutes"),
            may("guests", Several(NAMES), "names of those invited"),
        ),
        orders=(
            "put a {title} in my calendar on {day} at {time}",
            "schedule a {title} for {day} at {time}",
            "create an event called {title} on {day} at {time}",
            "add a {title} of {minutes} minutes on {day} at {time} to my calendar",
            "set up a {title} with {guests} on {day} at {time}",
            "plan a {title} on {day} at {time} for {minutes} minutes and invite {guests}",
        ),
        asks=(
            "I have a {title} on {day} at {time}. Please enter it in my calendar.",
            "There's a {title} on {day}, {time}. Can you put it in the calendar?",
            "On {day} at {time} I'm meeting {guests} for a {title}. Put it in my calendar.",
            "Could you block {minutes} minutes on {day} from {time} for a {title}?",
        ),
        result=lambda d, a: {"status": d.pick(("created", "saved")), "event_id": f"ev{d.whole(1000, 9999)}"},
        answers=("Your {title} on {day} at {time} is {status}.", "The {title} has been {status} for {day} at {time}."),
        lacking=(
            ("Put a {title} in my calendar on {day}.", "At what time does the {title} on {day} start?"),
            ("Schedule a {title} at {time}.", "On which day should I schedule the {title}?"),
            ("Block my calendar on {day} at {time}.", "What should I call the event on {day} at {time}?"),
        ),
        again=("Add another one on {day}.", "Put one on {day} too, please.", "And the same at {time}, please."),
        spread=Spread("day", ("Schedule a {title} at {time} on each of these days: {day}.", "Put a {title} in my calendar at {time} on {day}.")),
    ),
    Function(
        name="list_events",
        description="List the events of a day",
        parameters=(need("day", Words(DAYS), "weekday or date, as said"), may("most", Whole(2, 12), "how many at most")),
        orders=(
            "list my events on {day}",
            "tell me what is in my calendar on {day}",
            "read me my schedule for {day}",
            "show me the first {most} events on {day}",
        ),
        asks=(
            "What's on my calendar on {day}?",
            "Which appointments do I have on {day}?",
            "Do I have anything planned on {day}?",
            "What are my first {most} appointments on {day}?",
        ),
        result=lambda d, a: {"events": list(d.some(_TITLES, d.whole(1, 2)))},
        answers=("On {day} you have: {events}.", "Your calendar for {day} shows: {events}."),
        lacking=(
            ("What's in my calendar?", "For which day should I look at your calendar?"),
            ("Do I have any appointments?", "Which day do you mean?"),
            ("Show me my first {most} events.", "The first {most} events of which day?"),
        ),
        again=("And on {day}?", "What about {day}?"),
        spread=Spread("day", ("What's on my calendar on {day}?", "List my events on {day}.")),
    ),
    Function(
        name="reschedule_event",
        description="Move an event in the calendar to another day and time",
        parameters=(
            need("title", Words(_TITLES), "title of the event"),
            need("day", Words(DAYS), "the new weekday or date, as said"),
            need("time", Words(TIMES), "the new start, HH:MM"),
        ),
        orders=(
            "move my {title} to {day} at {time}",
            "reschedule the {title} to {day} at {time}",
            "shift the {title} to {time} on {day}",
        ),
        asks=(
            "I can't make the {title}. Move it to {day} at {time}, please.",
            "The {title} has been moved to {day}, {time}. Can you change that in my calendar?",
            "My {title} is at {time} on {day} now. Please move it.",
            "Can the {title} be on {day} at {time} instead?",
        ),
        result=lambda d, a: {"status": d.pick(("moved", "rescheduled"))},
        answers=("Your {title} is {status} to {day} at {time}.", "I have {status} the {title}: it is on {day} at {time} now."),
        lacking=(
            ("Move my {title} to {day}.", "At what time on {day} should the {title} start?"),
            ("Reschedule my {title} to {time}.", "On which day should the {title} be?"),
            ("Reschedule my meeting to {day} at {time}.", "Which meeting should I move to {day} at {time}?"),
        ),
        again=("No, make it {time}.", "{day} would be better after all.", "Move the {title} to that day and time too."),
    ),
    Function(
        name="delete_event",
        description="Delete an event from the calendar",
        parameters=(
            need("title", Words(_TITLES), "title of the event"),
            need("day", Words(DAYS), "weekday or date, as said"),
            may("notify", Flag("and tell the guests", "without telling the guests"), "whether guests are told"),
        ),
        orders=(
            "delete the {title} on {day}",
            "cancel my {title} on {day}",
            "remove the {title} from my calendar on {day}",
            "cancel the {title} on {day} {notify}",
        ),
        asks=(
            "I won't go to the {title} on {day}. Take it out of my calendar.",
            "The {title} on {day} isn't happening. Please delete it.",
            "The {title} on {day} has fallen through, so delete it {notify}.",
            "Can you take the {title} on {day} off my calendar?",
        ),
        result=lambda d, a: {"status": d.pick(("deleted", "cancelled"))},
        answers=("The {title} on {day} is {status}.", "Done: your {title} on {day} has been {status}."),
        lacking=(
            ("Cancel my {title}.", "On which day is the {title} that I should cancel?"),
            ("Delete an event on {day}.", "Which event on {day} should I delete?"),
        ),
        again=("And the {title} on the same day, please.", "Do the same with the {title}.", "And the one on {day} too."),
        spread=Spread("title", ("Cancel these on {day}: {title}.", "Delete {title} from my calendar on {day}.")),
    ),
    Function(
        name="find_free_slot",
        description="Find a free slot in the calendar",
        parameters=(
            need("day", Words(DAYS), "weekday or date, as said"),
            need("minutes", Whole(15, 240, 15), "length in minutes"),
            may("people", Several(NAMES), "who has to be free too"),
        ),
        orders=(
            "find {minutes} free minutes on {day}",
            "look for a gap of {minutes} minutes in my calendar on {day}",
            "find a slot of {minutes} minutes on {day} when {people} can come",
        ),
        asks=(
            "When am I free for {minutes} minutes on {day}?",
            "I need {minutes} minutes for myself on {day}. Where is there a gap?",
            "When could I meet {people} for {minutes} minutes on {day}?",
            "Is there a free slot of {minutes} minutes on {day}?",
        ),
        result=lambda d, a: {"free_from": d.pick(TIMES)},
        answers=("You are free for {minutes} minutes on {day} from {free_from}.", "There is a free slot on {day} at {free_from}."),
        lacking=(
            ("When am I free on {day}?", "How many minutes do you need on {day}?"),
            ("Find a slot of {minutes} minutes.", "On which day should I look for {minutes} free minutes?"),
        ),
        again=("And on {day}?", "And for {minutes} minutes?"),
        spread=Spread("day", ("When am I free for {minutes} minutes on {day}?", "Find {minutes} free minutes on each of {day}.")),
    ),
)
