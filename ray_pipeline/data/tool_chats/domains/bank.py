"""Bank: balances, transfers, currencies, cards, statements."""

from __future__ import annotations

from typing import Final

from ray_pipeline.data.tool_chats.function import Function, Spread, may, need
from ray_pipeline.data.tool_chats.pools import NAMES
from ray_pipeline.data.tool_chats.values import Choice, Code, Number, Whole, Words

_ACCOUNT: Final = Choice(("current", "savings", "joint", "business"))
_CURRENCY: Final = Choice(("EUR", "USD", "GBP", "JPY", "CHF", "SEK", "NOK", "PLN", "AUD", "CAD", "INR", "BRL"))
_PURPOSES: Final = (
    "rent", "lunch", "cinema tickets", "birthday present", "petrol", "electricity bill", "piano lessons", "groceries", "train ticket", "holiday flat",
    "dog food", "concert", "phone bill", "books", "dinner", "taxi", "flowers", "football shoes", "gym fee", "paint", "bike repair", "school trip",
    "wedding gift", "broken window", "pizza", "museum visit", "water bill", "new sofa", "charity run", "sweets", "camping trip", "shared car",
)  # fmt: skip

FUNCTIONS: Final = (
    Function(
        name="get_balance",
        description="Get the balance of a bank account",
        parameters=(need("account", _ACCOUNT, "which account"), may("currency", _CURRENCY, "currency to give it in")),
        orders=(
            "tell me the balance of my {account} account",
            "check how much money my {account} account holds",
            "show me the balance of my {account} account in {currency}",
            "look up how much is in my {account} account",
        ),
        asks=(
            "How much money is in my {account} account?",
            "What's the balance of my {account} account?",
            "How many {currency} do I have in my {account} account?",
            "What is my {account} account worth in {currency}?",
        ),
        result=lambda d, a: {"balance": Number(10, 9999, 100).draw(d), "unit": a.get("currency", "EUR")},
        answers=("There are {balance} {unit} in your {account} account.", "The balance of your {account} account is {balance} {unit}."),
        lacking=(
            ("How much money do I have?", "Which account do you mean: current, savings, joint or business?"),
            ("What's my balance in {currency}?", "The balance of which account would you like in {currency}?"),
            ("Check my balance, please.", "For which account should I check the balance?"),
        ),
        again=("And the {account} account?", "And in {currency}?"),
        spread=Spread("account", ("How much money is in my {account} accounts?", "Check the balance of my {account} accounts in {currency}.")),
    ),
    Function(
        name="transfer_money",
        description="Transfer an amount in euros to a person",
        parameters=(
            need("recipient", Words(NAMES), "who gets the money"),
            need("amount", Number(2, 400, 20), "amount in euros"),
            may("account", _ACCOUNT, "account it is taken from"),
            may("purpose", Words(_PURPOSES), "what it is for, word for word"),
        ),
        orders=(
            "transfer {amount} euros to {recipient}",
            "send {recipient} {amount} euros",
            "pay {recipient} {amount} euros from my {account} account",
            'transfer {amount} euros to {recipient} for "{purpose}"',
            'send {amount} euros from my {account} account to {recipient} with the purpose "{purpose}"',
        ),
        asks=(
            "I owe {recipient} {amount} euros. Please transfer them.",
            "Could you pay {recipient} back {amount} euros?",
            "{recipient} gets {amount} euros from my {account} account.",
            'Wire {amount} euros to {recipient}. The purpose is "{purpose}".',
        ),
        result=lambda d, a: {"status": d.pick(("completed", "booked")), "transfer_id": f"TX{d.whole(10000, 99999)}"},
        answers=("The transfer of {amount} euros to {recipient} is {status}.", "Done: {amount} euros to {recipient}, {status} as {transfer_id}."),
        lacking=(
            ("Transfer some money to {recipient}.", "How many euros should I transfer to {recipient}?"),
            ("Transfer {amount} euros.", "Who should get the {amount} euros?"),
            ("Send {amount} euros from my {account} account.", "To whom should I send the {amount} euros?"),
        ),
        again=("Do the same for {recipient}.", "Make the same transfer to {recipient}.", "And another {amount} euros in the same way."),
        spread=Spread("recipient", ("Transfer {amount} euros each to {recipient}.", "Send {recipient} {amount} euros each.")),
    ),
    Function(
        name="convert_currency",
        description="Convert an amount from one currency to another",
        parameters=(
            need("amount", Number(2, 900, 4), "amount to convert"),
            need("source", _CURRENCY, "currency of the amount"),
            need("target", _CURRENCY, "currency to convert to"),
        ),
        orders=(
            "convert {amount} {source} to {target}",
            "work out how many {target} are {amount} {source}",
            "tell me what {amount} {source} is in {target}",
        ),
        asks=(
            "How much is {amount} {source} in {target}?",
            "What do I get in {target} for {amount} {source}?",
            "How many {target} are {amount} {source}?",
            "It costs {amount} {source}. How much is that in {target}?",
        ),
        result=lambda d, a: {"converted": round(a["amount"] * d.whole(20, 300) / 100, 2)},
        answers=("{amount} {source} is {converted} {target}.", "For {amount} {source} you get {converted} {target}."),
        lacking=(
            ("How much is {amount} {source}?", "To which currency should I convert {amount} {source}?"),
            ("Convert {source} to {target}.", "Which amount of {source} should I convert to {target}?"),
        ),
        again=("And in {target}?", "And for {amount}?", "What about {amount} instead?"),
        spread=Spread("target", ("How much is {amount} {source} in {target}?", "Convert {amount} {source} to {target}.")),
    ),
    Function(
        name="block_card",
        description="Block a bank card",
        parameters=(
            need("last_digits", Code("####"), "the last four digits of the card"),
            need("reason", Choice(("lost", "stolen", "damaged")), "why it is blocked"),
        ),
        orders=(
            "block my {reason} card ending in {last_digits}",
            "block the card ending in {last_digits} because it is {reason}",
            "report the card that ends in {last_digits} as {reason} and block it",
        ),
        asks=(
            "My card ending in {last_digits} is {reason}. Please block it.",
            "The card with the last digits {last_digits} has been {reason}, so block it.",
            "Could you block my card? It ends in {last_digits} and is {reason}.",
            "Help, card {last_digits} is {reason}! Block it.",
        ),
        result=lambda d, a: {"status": d.pick(("blocked", "disabled"))},
        answers=("Your card ending in {last_digits} is {status}.", "The card {last_digits} has been {status} as {reason}."),
        lacking=(
            ("My card is {reason}, block it!", "What are the last four digits of the {reason} card?"),
            ("Block the card ending in {last_digits}.", "Is the card {last_digits} lost, stolen or damaged?"),
        ),
        again=("And the one ending in {last_digits}.", "Do the same with {last_digits}."),
        spread=Spread("last_digits", ("Block my {reason} cards ending in {last_digits}.", "My cards {last_digits} are {reason}. Block them.")),
    ),
    Function(
        name="list_transactions",
        description="List the latest transactions of an account",
        parameters=(
            need("account", _ACCOUNT, "which account"),
            need("days", Whole(2, 90), "how many days back"),
            may("least_amount", Whole(10, 500, 10), "leave out smaller ones, in euros"),
        ),
        orders=(
            "list the transactions of my {account} account in the last {days} days",
            "show me what happened on my {account} account in the past {days} days",
            "list everything from {least_amount} euros on my {account} account in the last {days} days",
        ),
        asks=(
            "What has been booked on my {account} account in the last {days} days?",
            "Which transactions were there on the {account} account over the past {days} days?",
            "What did I spend from my {account} account in the last {days} days?",
            "Which bookings of at least {least_amount} euros were there on my {account} account in the last {days} days?",
        ),
        result=lambda d, a: {"count": d.whole(1, 40), "largest": f"{d.pick(_PURPOSES)}, {d.whole(500, 900)} euros"},
        answers=(
            "Your {account} account had {count} transactions in {days} days.",
            "There were {count} in the last {days} days; the largest: {largest}.",
        ),
        lacking=(
            ("Show me the transactions of the last {days} days.", "Of which account would you like to see the transactions?"),
            ("List the transactions of my {account} account.", "How many days back should I go?"),
        ),
        again=("And the last {days} days?", "And for the {account} account?"),
        spread=Spread("account", ("Show me the transactions of my {account} accounts in the last {days} days.",)),
    ),
)
