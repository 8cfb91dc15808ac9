"""Shop: searching, the cart, orders and what becomes of them."""

from __future__ import annotations

from typing import Final

from ray_pipeline.data.tool_chats.function import Function, Spread, may, need
from ray_pipeline.data.tool_chats.pools import CITIES, DAYS, STREETS
from ray_pipeline.data.tool_chats.values import Choice, Code, Nested, Number, Whole, Words

_PRODUCTS: Final = (
    "backpacks", "bath towels", "batteries", "bedside lamps", "belts", "bike helmets", "birthday cards", "board games", "bookends", "candles",
    "carpets", "chess sets", "coat hooks", "coffee mugs", "cushions", "desk lamps", "diaries", "door mats", "drawing pencils", "flower pots",
    "footballs", "garden chairs", "gloves", "hammocks", "headphones", "jigsaw puzzles", "keyboards", "kites", "ladders", "lunch boxes",
    "mirrors", "notebooks", "paint brushes", "phone cases", "picture frames", "pillows", "raincoats", "running shoes", "sandals", "scarves",
    "screwdrivers", "shower curtains", "sleeping bags", "sunglasses", "table lamps", "tea cups", "teapots", "tents", "toolboxes", "torches",
    "umbrellas", "vases", "wall clocks", "watering cans", "wine glasses", "yoga mats",
)  # fmt: skip
_COLOURS: Final = ("black", "blue", "brown", "green", "grey", "orange", "pink", "purple", "red", "white", "yellow")
_ORDER: Final = Code("SO-#####")
_ADDRESS: Final = Nested(
    {"number": Whole(1, 180), "street": Words(STREETS), "city": Words(CITIES), "postcode": Code("#####")}, "{number} {street}, {city} {postcode}"
)

FUNCTIONS: Final = (
    Function(
        name="search_products",
        description="Search the online shop for products",
        parameters=(
            need("query", Words(_PRODUCTS), "what is looked for, as said"),
            may("most_price", Number(5, 200, 2), "highest price in euros"),
            may("sort_by", Choice(("price", "rating", "newest")), "what comes first"),
        ),
        orders=(
            "search the shop for {query}",
            "look for {query} in the shop",
            "find {query} for less than {most_price} euros in the shop",
            "show me the {query} that the shop has, sorted by {sort_by}",
            "search for {query} up to {most_price} euros and sort them by {sort_by}",
        ),
        asks=(
            "Which {query} do you sell?",
            "I want to buy {query}. What does the shop have?",
            "Are there any {query} for at most {most_price} euros in the shop?",
            "What {query} are there in the shop? Sort them by {sort_by}.",
        ),
        result=lambda d, a: {"found": d.whole(2, 60), "cheapest": round(a.get("most_price", 90) * d.whole(30, 95) / 100, 2)},
        answers=("I found {found} {query}, from {cheapest} euros.", "The shop has {found} {query}; the cheapest cost {cheapest} euros."),
        lacking=(
            ("Search the shop for something under {most_price} euros.", "What are you looking for under {most_price} euros?"),
            ("Find me a product in the shop.", "Which product are you looking for?"),
            ("Search the shop and sort by {sort_by}.", "What should I search the shop for?"),
        ),
        again=("And {query}?", "And up to {most_price} euros?", "Sort them by {sort_by}."),
        spread=Spread(
            "query", ("Search the shop for {query}, one after the other.", "Which {query} do you sell for at most {most_price} euros each?")
        ),
    ),
    Function(
        name="add_to_cart",
        description="Put a product into the cart of the online shop",
        parameters=(
            need("product", Words(_PRODUCTS), "name of the product, as said"),
            need("quantity", Whole(2, 12), "how many"),
            may("colour", Choice(_COLOURS), "colour of the product"),
        ),
        orders=(
            "put {quantity} {product} in my cart",
            "add {quantity} {product} to the cart",
            "put {quantity} {product} in {colour} into the cart",
            "add {quantity} {colour} {product} to my cart",
        ),
        asks=(
            "I'll take {quantity} {product}. Put them in the cart.",
            "Could I have {quantity} {colour} {product} in my cart?",
            "I need {quantity} {product}, so add them to the cart.",
            "{quantity} {product} in {colour} go into the cart, please.",
        ),
        result=lambda d, a: {"items_in_cart": a["quantity"] + d.whole(0, 9), "total": Number(20, 300, 100).draw(d)},
        answers=(
            "I added {quantity} {product}: the cart now comes to {total} euros.",
            "The {product} are in the cart, which holds {items_in_cart} items.",
        ),
        lacking=(
            ("Put {product} in my cart.", "How many {product} should I put in the cart?"),
            ("Add {quantity} more to my cart.", "{quantity} of which product?"),
        ),
        again=("Do the same with {product}.", "The same in {colour} as well, please.", "Make it {quantity}."),
        spread=Spread("product", ("Put {quantity} each of {product} in my cart.", "Add {product} to the cart, {quantity} of each.")),
    ),
    Function(
        name="track_order",
        description="Find out where an order of the online shop is",
        parameters=(need("order", _ORDER, "number of the order"),),
        orders=("track my order {order}", "check where order {order} is", "find out when order {order} arrives"),
        asks=(
            "Where is my order {order}?",
            "When will order {order} arrive?",
            "I'm still waiting for {order}. Where is it?",
            "Has {order} been sent yet?",
        ),
        result=lambda d, a: {"state": d.pick(("packed", "shipped", "at the depot", "out for delivery")), "arrives": d.pick(DAYS)},
        answers=("Your order {order} is {state} and arrives on {arrives}.", "Order {order} is {state}; expect it on {arrives}."),
        lacking=(
            ("Where is my parcel?", "What is the number of your order?"),
            ("When does my order arrive?", "Please tell me the number of the order."),
            ("Track my order.", "Which order should I track? I need its number."),
        ),
        again=("And {order}?", "What about {order}?"),
        spread=Spread("order", ("Where are my orders {order}?", "When will the orders {order} arrive?")),
    ),
    Function(
        name="return_order",
        description="Register the return of an order",
        parameters=(
            need("order", _ORDER, "number of the order"),
            need("reason", Choice(("too small", "too large", "broken", "wrong item", "unwanted")), "why it is returned"),
        ),
        orders=(
            'return order {order} with the reason "{reason}"',
            'send order {order} back as "{reason}"',
            'register a return of {order}, reason "{reason}"',
        ),
        asks=(
            'I want to return {order}. The reason is "{reason}".',
            'Order {order} has to go back: "{reason}".',
            'Can I give {order} back? Reason: "{reason}".',
            'I don\'t want to keep {order}; return it as "{reason}".',
        ),
        result=lambda d, a: {"label": f"R{d.whole(100000, 999999)}", "refund_days": d.whole(3, 14)},
        answers=("The return of {order} has the label {label}.", "Use label {label} for {order}; the refund takes {refund_days} days."),
        lacking=(
            ("I want to return order {order}.", "Why do you want to return {order}?"),
            ('I want to return something, the reason is "{reason}".', "What is the number of the order that you want to return?"),
        ),
        again=("And {order} for the same reason.", "The same with {order}."),
        spread=Spread("order", ('Return the orders {order} as "{reason}".', 'I want to return {order}. The reason is always "{reason}".')),
    ),
    Function(
        name="change_delivery",
        description="Change the delivery address of an order",
        parameters=(need("order", _ORDER, "number of the order"), need("address", _ADDRESS, "the new address")),
        orders=(
            "send order {order} to {address}",
            "change the address of order {order} to {address}",
            "have {order} delivered to {address}",
        ),
        asks=(
            "I've moved. Deliver {order} to {address}.",
            "The new address for order {order} is {address}.",
            "Could {order} go to {address} instead?",
            "Please deliver to {address} instead. The order is {order}.",
        ),
        result=lambda d, a: {"status": d.pick(("changed", "updated")), "arrives": d.pick(DAYS)},
        answers=("The address of {order} is {status}; it arrives on {arrives}.", "Order {order} goes to {address} now and arrives on {arrives}."),
        lacking=(
            ("Send order {order} to another address.", "To which address should order {order} go?"),
            ("Please deliver my order to {address}.", "What is the number of the order that should go to {address}?"),
        ),
        again=("Send {order} there too.", "The same for {order}, please."),
        spread=Spread("order", ("Deliver my orders {order} to {address}.", "Change the address of {order} to {address}.")),
    ),
)
