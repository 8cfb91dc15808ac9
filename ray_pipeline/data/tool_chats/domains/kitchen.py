"""Kitchen: timers, recipes, the shopping list, measures."""

from __future__ import annotations

from typing import Final

from ray_pipeline.data.tool_chats.function import Function, Spread, may, need
from ray_pipeline.data.tool_chats.values import Choice, Number, Several, Whole, Words

_DISHES: Final = (
    "apple pie", "banana bread", "bean stew", "beetroot soup", "carrot cake", "cheese omelette", "chicken curry", "chilli", "couscous salad",
    "dumplings", "falafel", "fish pie", "fried rice", "garlic bread", "goulash", "hummus", "lasagne", "leek soup", "lemon tart", "lentil soup",
    "mashed potatoes", "meatballs", "mushroom risotto", "noodle soup", "onion tart", "paella", "pancakes", "pasta bake", "pea soup", "pizza",
    "plum cake", "porridge", "potato gratin", "pumpkin soup", "ratatouille", "roast beef", "shepherd's pie", "spinach quiche", "stuffed peppers",
    "sweet potato curry", "tomato soup", "vegetable stew", "waffles",
)  # fmt: skip
_INGREDIENTS: Final = (
    "apples", "aubergines", "bananas", "basil", "beans", "beef", "bread", "broccoli", "butter", "cabbage", "carrots", "celery", "cheese",
    "chicken", "chickpeas", "coconut milk", "courgettes", "cream", "cucumbers", "eggs", "fennel", "flour", "garlic", "ginger", "grapes", "honey",
    "leeks", "lemons", "lentils", "lettuce", "milk", "mint", "mushrooms", "mustard", "noodles", "nuts", "oats", "olives", "onions", "oranges",
    "parsley", "pasta", "pears", "peas", "peppers", "potatoes", "prawns", "pumpkin", "radishes", "rice", "salmon", "spinach", "sugar", "tofu",
    "tomatoes", "tuna", "yoghurt",
)  # fmt: skip
_UNIT: Final = Choice(("grams", "ounces", "cups", "millilitres", "tablespoons", "pints"))

FUNCTIONS: Final = (
    Function(
        name="set_timer",
        description="Set a kitchen timer",
        parameters=(need("minutes", Whole(2, 120), "how long"), may("label", Words(_DISHES), "what it is for")),
        orders=(
            "set a timer for {minutes} minutes",
            "set a timer of {minutes} minutes for the {label}",
            "start a timer of {minutes} minutes",
            "time the {label} for {minutes} minutes",
        ),
        asks=(
            "I need a timer for {minutes} minutes.",
            "The timer for the {label} should run {minutes} minutes.",
            "Could you start a timer? {minutes} minutes, please.",
            "Timer for the {label}, please, {minutes} minutes.",
        ),
        result=lambda d, a: {"rings_at": f"{d.whole(10, 21)}:{d.whole(10, 59)}"},
        answers=("The timer is set for {minutes} minutes and rings at {rings_at}.", "Your timer of {minutes} minutes will ring at {rings_at}."),
        lacking=(
            ("Set a timer for the {label}.", "For how many minutes should I set the timer for the {label}?"),
            ("Set a timer, please.", "For how many minutes should I set the timer?"),
            ("Start the kitchen timer.", "How many minutes should the timer run?"),
        ),
        again=("Make it {minutes} minutes instead.", "Set the same for the {label}."),
        spread=Spread("minutes", ("Set timers for {minutes} minutes.", "I need timers of {minutes} minutes for the {label}.")),
    ),
    Function(
        name="find_recipe",
        description="Find a recipe that uses some ingredients",
        parameters=(
            need("ingredients", Several(_INGREDIENTS, 1, 4), "what it is made of"),
            may("diet", Choice(("vegetarian", "vegan", "gluten-free", "low-carb")), "diet that it suits"),
            may("most_minutes", Whole(10, 90, 5), "how long it takes at most"),
        ),
        orders=(
            "find a recipe with {ingredients}",
            "suggest a dish that uses {ingredients}",
            "find a {diet} recipe with {ingredients}",
            "look for a recipe with {ingredients} that takes at most {most_minutes} minutes",
        ),
        asks=(
            "What can I cook with {ingredients}?",
            "I still have {ingredients}. What could I make of that?",
            "Is there a {diet} dish with {ingredients}?",
            "What can I make from {ingredients} in {most_minutes} minutes?",
        ),
        result=lambda d, a: {"recipe": d.pick(_DISHES), "minutes": d.whole(5, a.get("most_minutes", 80))},
        answers=("You could make {recipe}, which takes {minutes} minutes.", "How about {recipe}? It takes {minutes} minutes."),
        lacking=(
            ("Find me a {diet} recipe.", "Which ingredients should the {diet} recipe use?"),
            ("What can I cook in {most_minutes} minutes?", "Which ingredients would you like to use?"),
            ("What can I cook today?", "Which ingredients do you have?"),
        ),
        again=("And with {ingredients}?", "Is there a {diet} one too?"),
    ),
    Function(
        name="add_to_shopping_list",
        description="Put groceries on the shopping list",
        parameters=(need("items", Several(_INGREDIENTS, 1, 4), "what to buy"),),
        orders=("put {items} on the shopping list", "add {items} to my shopping list", "write {items} on the shopping list"),
        asks=(
            "We're out of {items}. Put that on the shopping list.",
            "I have to buy {items}; add that to the shopping list.",
            "Could you note {items} on the shopping list?",
            "The shopping list needs {items}.",
        ),
        result=lambda d, a: {"entries": len(a["items"]) + d.whole(0, 12)},
        answers=("I put {items} on the list, which now has {entries} entries.", "Your shopping list has {entries} entries now."),
        lacking=(
            ("Put something on my shopping list.", "What should I put on the shopping list?"),
            ("Add it to the shopping list.", "What should I add to the shopping list?"),
            ("I need to write the shopping list.", "What would you like on the shopping list?"),
        ),
        again=("And {items}.", "Add {items} too."),
    ),
    Function(
        name="scale_recipe",
        description="Scale the recipe of a dish to a number of servings",
        parameters=(need("dish", Words(_DISHES), "name of the dish"), need("servings", Whole(2, 16), "for how many people")),
        orders=(
            "scale the {dish} recipe to {servings} servings",
            "work out the {dish} recipe for {servings} people",
            "change my recipe for {dish} to {servings} servings",
        ),
        asks=(
            "I'm making {dish} for {servings} people. Scale the recipe.",
            "How much of everything do I need for {dish} with {servings} servings?",
            "We'll be {servings} people for {dish}. Can you scale it?",
            "What does the recipe for {dish} look like with {servings} servings?",
        ),
        result=lambda d, a: {"factor": Number(1, 8, 4).draw(d)},
        answers=("For {servings} servings of {dish}, take {factor} times as much of everything.", "Multiply the {dish} recipe by {factor}."),
        lacking=(
            ("Scale the recipe for {dish}.", "To how many servings should I scale the {dish}?"),
            ("Scale a recipe to {servings} servings.", "Which dish would you like for {servings} people?"),
        ),
        again=("And for {servings} people?", "And for {dish}?"),
        spread=Spread("dish", ("Scale the recipes for {dish} to {servings} servings.", "How much do I need of {dish} for {servings} people each?")),
    ),
    Function(
        name="convert_measure",
        description="Convert an amount of an ingredient from one kitchen measure to another",
        parameters=(
            need("ingredient", Words(_INGREDIENTS), "what is measured"),
            need("amount", Number(2, 60, 2), "how much"),
            need("source", _UNIT, "measure of the amount"),
            need("target", _UNIT, "measure to convert to"),
        ),
        orders=(
            "convert {amount} {source} of {ingredient} to {target}",
            "tell me how many {target} are {amount} {source} of {ingredient}",
            "work out {amount} {source} of {ingredient} in {target}",
        ),
        asks=(
            "How many {target} are {amount} {source} of {ingredient}?",
            "What is {amount} {source} of {ingredient} in {target}?",
            "My recipe says {amount} {source} of {ingredient}. How much is that in {target}?",
            "I need {amount} {source} of {ingredient}, but I measure in {target}. How much is it?",
        ),
        result=lambda d, a: {"converted": Number(1, 450, 2).draw(d)},
        answers=("{amount} {source} of {ingredient} is {converted} {target}.", "That is {converted} {target} of {ingredient}."),
        lacking=(
            ("How much is {amount} {source} of {ingredient}?", "To which measure should I convert {amount} {source} of {ingredient}?"),
            ("How many {target} are {amount} {source}?", "{amount} {source} of which ingredient?"),
        ),
        again=("And {amount} {source}?", "And in {target}?", "And of {ingredient}?"),
    ),
)
