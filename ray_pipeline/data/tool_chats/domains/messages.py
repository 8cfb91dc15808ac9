"""Messages: texts, mails, calls, groups, silence."""

from __future__ import annotations

from typing import Final

from ray_pipeline.data.tool_chats.function import Function, Spread, may, need
from ray_pipeline.data.tool_chats.pools import NAMES
from ray_pipeline.data.tool_chats.values import Flag, Several, Whole, Words

_TEXTS: Final = (
    "I'm running ten minutes late", "Dinner is ready", "Happy birthday", "The train is delayed", "I'm on my way", "Call me when you can",
    "See you tomorrow", "The meeting is cancelled", "Thanks for your help", "I left the keys under the mat", "Can you buy milk",
    "I landed safely", "Good luck with the exam", "The parcel has arrived", "Don't forget your umbrella", "I'm stuck in traffic",
    "Let's meet at the cinema", "The tickets are booked", "I'll bring dessert", "The cat is fine", "Please water the plants",
    "The door code has changed", "I found your scarf", "We won the match", "Congratulations on the new job", "I miss you",
    "The shop is closed today", "Lunch is on me", "I'm at the station", "Your book is due back", "The heating works again",
    "I'll be home by eight", "Sorry about yesterday", "The baby is asleep", "We need more bread", "The car is at the garage",
    "Send me the photos", "I'm in the second row", "The power is back", "Table for four is booked", "I lost my phone",
    "The concert was great", "Wait for me at the gate", "I'll pick up the kids", "The bus is full", "My flight leaves at noon",
    "Bring a warm jacket", "The party starts at nine", "I have good news", "The code review is done", "Practice is moved to Friday",
)  # fmt: skip
_SUBJECTS: Final = (
    "Agenda for the workshop", "Annual report", "Apartment keys", "Audit results", "Booking confirmation", "Budget draft", "Bug in the login",
    "Change of address", "Christmas dinner", "Contract renewal", "Course materials", "Customer feedback", "Days off in August",
    "Delivery dates", "Election of the board", "Exam timetable", "Expense claim", "Feedback on the slides", "Garden plans", "Guest list",
    "Holiday photos", "Insurance papers", "Interview questions", "Invitation to the opening", "Invoice for March", "Lab results",
    "Lease agreement", "Lost luggage", "Meeting notes", "Monthly figures", "New office hours", "Office move", "Order of new chairs",
    "Parking permit", "Price list", "Project schedule", "Question about the rota", "Recipe for the cake", "Rent for June", "Repair of the roof",
    "Request for leave", "School trip", "Seating plan", "Signed contract", "Summer party", "Tax documents", "Thank you", "Travel plans",
    "Update on the tender", "Welcome to the team",
)  # fmt: skip
_GROUPS: Final = tuple(
    f"{who} {what}"
    for who in ("Book", "Chess", "Cinema", "Cycling", "Family", "Football", "Garden", "Hiking", "Jazz", "Office", "Poker", "Street", "Tennis")
    for what in ("club", "crew", "friends", "night", "plans", "team")
)  # fmt: skip

FUNCTIONS: Final = (
    Function(
        name="send_text",
        description="Send a text message to a contact",
        parameters=(need("contact", Words(NAMES), "name of the contact"), need("text", Words(_TEXTS), "the message, word for word")),
        orders=(
            'text {contact} "{text}"',
            'send {contact} the message "{text}"',
            'write "{text}" to {contact} by text message',
            'send a text to {contact} that says "{text}"',
        ),
        asks=(
            'I need to text {contact}. Write "{text}".',
            'Could you send {contact} a text saying "{text}"?',
            'Send a message for me: "{text}". It goes to {contact}.',
            'Let {contact} know by text: "{text}".',
        ),
        result=lambda d, a: {"status": d.pick(("sent", "delivered"))},
        answers=("Your message to {contact} has been {status}.", 'The text "{text}" was {status} to {contact}.'),
        lacking=(
            ("Text {contact} for me.", "What should the message to {contact} say?"),
            ('Send a text that says "{text}".', 'Who should get the message "{text}"?'),
        ),
        again=("Send the same to {contact}.", "And to {contact}, please.", 'And write "{text}" as well.'),
        spread=Spread("contact", ('Text "{text}" to {contact}, each on their own.', 'Send the message "{text}" to {contact} one by one.')),
    ),
    Function(
        name="send_email",
        description="Send an email to a contact",
        parameters=(
            need("contact", Words(NAMES), "name of the contact"),
            need("subject", Words(_SUBJECTS), "subject, word for word"),
            may("body", Words(_TEXTS), "text of the mail, word for word"),
            may("urgent", Flag("urgent", "not urgent"), "whether it is marked as urgent"),
        ),
        orders=(
            'send {contact} an email with the subject "{subject}"',
            'email {contact} about "{subject}"',
            'mail {contact} with the subject "{subject}" and the text "{body}"',
            'send an email to {contact}, subject "{subject}", and mark it as {urgent}',
        ),
        asks=(
            'I want to send {contact} an email titled "{subject}".',
            'Could you email {contact} with "{subject}" as the subject?',
            'Write an email to {contact}: the subject is "{subject}" and the body "{body}".',
            'Send {contact} a mail called "{subject}". It is {urgent}.',
        ),
        result=lambda d, a: {"status": d.pick(("sent", "queued")), "mail_id": d.whole(10000, 99999)},
        answers=('The email "{subject}" to {contact} is {status}.', 'Your mail to {contact} with the subject "{subject}" has been {status}.'),
        lacking=(
            ("Send {contact} an email.", "What is the subject of the email to {contact}?"),
            ('Send an email with the subject "{subject}".', 'Who should get the email "{subject}"?'),
        ),
        again=("Send the same mail to {contact}.", "And to {contact}, please."),
        spread=Spread("contact", ('Send {contact} each an email with the subject "{subject}".', 'Email {contact} separately about "{subject}".')),
    ),
    Function(
        name="call_contact",
        description="Call a contact by phone",
        parameters=(
            need("contact", Words(NAMES), "name of the contact"),
            may("speaker", Flag("on speaker", "with the speaker off"), "whether the loudspeaker is on"),
        ),
        orders=("call {contact}", "ring {contact}", "phone {contact} for me", "call {contact} {speaker}"),
        asks=(
            "I'd like to talk to {contact} on the phone.",
            "Could you ring {contact}?",
            "Get {contact} on the line, please.",
            "I want to call {contact} {speaker}.",
        ),
        result=lambda d, a: {"status": d.pick(("connected", "ringing", "busy"))},
        answers=("The call to {contact} is {status}.", "I called {contact}: the line is {status}."),
        lacking=(
            ("Make a phone call, please.", "Who should I call?"),
            ("Start a call {speaker}.", "Whom would you like to call?"),
            ("Can you ring them?", "Whom should I ring?"),
        ),
        again=("Try {contact} in the same way.", "Now call {contact} like that."),
    ),
    Function(
        name="create_group",
        description="Create a group chat",
        parameters=(need("name", Words(_GROUPS), "name of the group"), need("members", Several(NAMES, 2, 4), "names of the members")),
        orders=(
            'create a group called "{name}" with {members}',
            'make a group chat named "{name}" for {members}',
            'put {members} in a new group chat, "{name}"',
        ),
        asks=(
            'I need a group chat with {members}. Call it "{name}".',
            'Could you open the group "{name}" for {members}?',
            '{members} should be in a new group named "{name}".',
            'Start a new group, "{name}", and add {members}.',
        ),
        result=lambda d, a: {"status": d.pick(("created", "ready")), "size": len(a["members"])},
        answers=('The group "{name}" is {status}.', 'Your new group "{name}" has been made and is {status}.'),
        lacking=(
            ('Create a group chat called "{name}".', 'Who should be in the group "{name}"?'),
            ("Make a group chat with {members}.", "What should the group with {members} be called?"),
        ),
        again=('Make one with the same people called "{name}".', "And a group with the same name for {members}."),
    ),
    Function(
        name="mute_chat",
        description="Mute the chat with a contact for some hours",
        parameters=(need("contact", Words(NAMES), "name of the contact"), need("hours", Whole(2, 72), "for how many hours")),
        orders=(
            "mute {contact} for {hours} hours",
            "silence my chat with {contact} for {hours} hours",
            "turn off notifications from {contact} for {hours} hours",
        ),
        asks=(
            "I don't want to hear from {contact} for the next {hours} hours.",
            "{contact} writes too much. Mute the chat for {hours} hours.",
            "Can you keep the chat with {contact} quiet for {hours} hours?",
            "For {hours} hours, show me nothing from {contact}.",
        ),
        result=lambda d, a: {"status": d.pick(("muted", "silenced"))},
        answers=("{contact} is {status} for {hours} hours.", "The chat with {contact} has been {status} for {hours} hours."),
        lacking=(
            ("Mute {contact}.", "For how many hours should I mute {contact}?"),
            ("Mute a chat for {hours} hours.", "Whose chat should I mute for {hours} hours?"),
        ),
        again=("{contact} as well.", "Do the same for {contact}.", "Make it {hours} hours."),
        spread=Spread("contact", ("Mute {contact} for {hours} hours.", "I don't want to hear from {contact} for {hours} hours.")),
    ),
)
