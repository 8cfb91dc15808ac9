"""Near misses: misconception names in the corpus that no row has.

Each is a plausible neighbour of real labels (another operation, the reverse direction, a step that no rule gets wrong)
and says something that no rule does. The occasions are those of the rules, so only the mistake tells them apart.
"""

from __future__ import annotations

from typing import Final

NEAR_MISSES: Final[dict[str, tuple[str, ...]]] = {
    "adding fractions": (
        "subtracts the bottoms from each other but totals the tops",
        "keeps the smaller of the two bottoms and totals the tops",
        "rewrites only the second of the two fractions over the shared bottom",
        "turns the second fraction upside down first",
        "adds the tops and bottoms of both into one whole number",
    ),
    "subtracting fractions": (
        "borrows ten instead of one whole from the whole-number part",
        "scales each top by its own bottom before taking away",
        "turns the second fraction upside down before taking away",
        "subtracts the smaller bottom from the shared one",
    ),
    "multiplying fractions": (
        "cancels a top with the top of the other fraction",
        "multiplies the tops and subtracts the bottoms",
        "multiplies whole parts and fraction parts of mixed numbers separately",
        "keeps the larger bottom and multiplies the tops",
    ),
    "dividing fractions": (
        "divides tops and leaves the bottoms multiplied",
        "cross-cancels before inverting anything",
        "rounds both fractions to whole numbers before sharing",
        "divides the larger top by the smaller top whatever the order",
    ),
    "comparing fractions": (
        "compares only fractions whose bottoms match and leaves the others out",
        "thinks improper fractions are always smaller than one",
        "believes equivalent fractions with larger numbers are worth more",
    ),
    "cancelling fractions": (
        "crosses out a digit that occurs in top and bottom",
        "doubles both parts to reach an equivalent in lowest terms",
        "thinks only even numbers can be cancelled",
    ),
    "adding decimals": (
        "writes the point of the total as many places in as both numbers have together",
        "carries from the ones into the tenths",
        "multiplies the decimal parts and adds the whole parts",
        "adds the digits from left to right and carries to the right",
    ),
    "subtracting decimals": (
        "rounds both numbers to whole ones before taking away",
        "takes the whole parts away and keeps the decimal part of the larger number",
        "writes the missing hundredths as nine",
    ),
    "multiplying decimals": (
        "lines the points up and keeps them in line in the product",
        "counts decimal places of the longer factor only",
        "believes a product is always greater than both factors",
    ),
    "dividing decimals": (
        "swaps dividend and divisor so that the larger is shared",
        "moves the point of the dividend only",
        "writes a remainder behind the point",
    ),
    "comparing decimals": (
        "thinks a number with a zero in the tenths is always negative",
        "thinks a decimal with more different digits is greater",
        "compares only the tenths and calls numbers with equal tenths equal",
    ),
    "rounding": (
        "rounds a five down",
        "rounds to the nearest ten whatever the accuracy asked for",
        "looks at the digit two places behind the last one kept",
        "keeps the digits after the deciding one and raises them too",
    ),
    "adding with negative numbers": (
        "lets the number with the larger size lose its sign",
        "adds zero's place as an extra unit on the way down",
        "orders the two numbers first and then always starts with the larger",
    ),
    "subtracting with negative numbers": (
        "stops at zero because nothing can be taken from it",
        "writes every minus of the question into the answer",
        "thinks subtracting always gives something smaller than both numbers",
    ),
    "multiplying negative numbers": (
        "takes the sign of the factor with the larger size",
        "decides the sign by whichever factor comes first",
        "gives zero because the signs cancel",
    ),
    "dividing negative numbers": (
        "thinks the quotient of two negative numbers is negative",
        "thinks a negative number cannot be shared",
    ),
    "ordering negative numbers": (
        "places zero below every negative number",
        "orders by the first digit, ignoring how many digits there are",
        "lists positives and negatives alternately by size",
    ),
    "several operations are mixed": (
        "treats a division sign as a subtraction",
        "leaves the last number of the chain out",
        "does division before brackets",
        "adds the results of every pair of neighbours",
    ),
    "evaluating powers": (
        "writes the exponent as that many zeros behind the base",
        "multiplies the base by itself one time fewer than required",
        "thinks any number to the power of one is one",
    ),
    "evaluating negative indices": (
        "treats a negative exponent as a root",
        "gives zero because the exponent is below zero",
    ),
    "finding roots": (
        "cubes instead of taking a root",
        "divides a number by its first digit",
        "takes the root of each digit separately",
    ),
    "finding a percentage": (
        "finds ten per cent by dividing by a hundred",
        "adds the parts for ten per cent and one per cent where they should be multiplied up",
        "thinks a percentage above a hundred is impossible",
        "doubles fifty per cent to get the whole and stops",
    ),
    "increasing by a percentage": (
        "multiplies by the percentage as a decimal and by a hundred",
        "increases twice by half of the percentage",
        "multiplies the amount by the rate and adds a hundred",
    ),
    "decreasing by a percentage": (
        "takes the percentage of the reduced amount off once more",
        "reduces a hundred by the amount and reads the rest as a percentage",
    ),
    "finding the original amount": (
        "divides by the percentage written as a whole number",
        "halves the percentage and takes that off the final amount",
        "multiplies the final amount by the growth factor's square",
    ),
    "percentage changes repeat": (
        "multiplies the rate by itself and applies it once",
        "divides the rate by the number of periods",
        "adds a year's interest to the rate",
    ),
    "converting to percentages": (
        "halves the denominator to find the rate",
        "writes the reciprocal as a percentage",
        "subtracts the top from a hundred",
    ),
    "sharing in a ratio": (
        "gives each person one part more than the ratio says",
        "multiplies the whole by both parts of the ratio",
        "adds the parts of the ratio to the whole before sharing",
        "rounds each share up to a whole part",
    ),
    "simplifying ratios": (
        "divides each side by a different number",
        "adds the two sides to make one number",
        "turns a ratio into a percentage and keeps the colon",
    ),
    "quantities are proportional": (
        "subtracts the unit amount from the given total",
        "halves or doubles only, whichever is nearer",
        "squares the scale factor",
    ),
    "quantities are inversely proportional": (
        "shares the time by the number of old and new helpers together",
        "multiplies the time by the change in helpers",
    ),
    "collecting like terms": (
        "adds exponents of letters in a sum",
        "thinks a letter without a number in front counts as zero",
        "puts letters in alphabetical order and joins their numbers",
    ),
    "expanding a bracket": (
        "multiplies the terms inside by each other",
        "raises the letter because it meets an outside number",
        "divides the last term by the outside factor",
    ),
    "expanding two brackets": (
        "multiplies the first term of each and adds the rest",
        "takes the difference of the constants as the middle coefficient",
        "leaves out the final product of the constants",
    ),
    "factorising": (
        "takes out the sum of the coefficients",
        "writes the common factor behind the bracket with an exponent",
        "adds the common factor to each term inside",
    ),
    "factorising quadratics": (
        "uses half of the middle coefficient in both factors",
        "writes the factors as a sum of two brackets",
        "chooses numbers whose difference is the middle coefficient",
        "takes the square root of the constant for both factors, whatever the middle term",
    ),
    "substituting": (
        "replaces a letter by its place in the alphabet",
        "adds the exponent to the value before multiplying",
        "uses the value with the opposite sign",
    ),
    "using index laws": (
        "adds the base numbers and keeps the exponent",
        "divides exponents when powers are multiplied",
        "multiplies the base by the outer exponent, leaving the inner one",
    ),
    "solving equations": (
        "adds the coefficient to both sides to remove it",
        "swaps the two sides and changes every sign",
        "divides only the constant on the left by the coefficient",
        "guesses a value and accepts it when one side is right",
    ),
    "solving inequalities": (
        "turns the comparison round whenever anything is subtracted",
        "lists only the first whole number that fits",
        "includes the boundary although the comparison is strict",
    ),
    "rearranging formulae": (
        "squares both sides to remove a coefficient",
        "replaces the subject by one",
    ),
    "continuing sequences": (
        "repeats the sequence from its beginning",
        "subtracts the common step",
        "takes the mean of the last two values",
    ),
    "finding a position rule": (
        "multiplies the step by the opening value",
        "uses the number of given values as the coefficient",
        "writes the step as an exponent",
    ),
    "finding angles": (
        "halves a full turn for every unknown angle",
        "adds a right angle to the given angle",
        "thinks longer arms make a larger angle",
    ),
    "finding angles in polygons": (
        "multiplies the number of sides by the exterior angle and halves it",
        "counts the diagonals from every corner",
        "divides a half turn by the number of triangles",
    ),
    "lines are parallel": (
        "believes parallel lines form only right angles",
        "adds a Z-shaped pair to a half turn",
    ),
    "finding areas": (
        "adds the squares of the sides",
        "uses the longest side for both factors",
        "multiplies opposite sides",
    ),
    "working with circles": (
        "uses a quarter of the diameter as the radius",
        "squares the constant as well as the radius",
        "divides the circumference by the radius for the area",
    ),
    "finding volumes": (
        "multiplies the areas of all faces",
        "doubles the product of the edges",
        "uses the perimeter of the base as its area",
    ),
    "using Pythagoras": (
        "takes the roots of the sides and adds these",
        "uses the angle at the corner as a length",
        "subtracts the squares although the longest side is wanted",
    ),
    "enlarging shapes": (
        "multiplies the angles by the scale factor",
        "divides an area by the scale factor",
        "enlarges one side only",
    ),
    "finding gradients": (
        "multiplies the rise by the run",
        "adds the coordinates of both points before dividing",
        "uses the distance between the points",
    ),
    "translating": (
        "multiplies the coordinates by the vector",
        "carries the shift out twice",
    ),
    "reflecting": (
        "turns the point about the origin by a quarter turn",
        "moves the point to the other side at twice its distance",
    ),
    "finding the mean": (
        "divides by the largest value",
        "leaves zeros out of the number of values",
        "adds the differences between neighbours",
    ),
    "finding the median": (
        "takes the middle of the frequencies",
        "crosses repeated values out before looking for the middle",
        "averages the first and last values of the list as written",
    ),
    "finding the mode": (
        "thinks there is a mode only if a value occurs three times",
        "adds the repeated values",
    ),
    "finding the range": (
        "divides the difference of the extremes by the number of values",
        "subtracts the median from the maximum",
    ),
    "averaging from a table": (
        "chooses the value with the highest frequency",
        "adds values and frequencies row by row",
        "takes the middle row",
    ),
    "drawing pie charts": (
        "gives every category the same angle",
        "rounds each angle to a multiple of ten",
    ),
    "finding a probability": (
        "writes the number of favourable outcomes as a percentage",
        "believes a chance depends on the previous result",
        "counts each colour once, however many there are",
    ),
    "combining probabilities": (
        "subtracts the smaller chance from the larger",
        "squares the larger chance",
        "divides the first chance by the second",
        "adds tops and adds bottoms of two chances",
    ),
    "estimating from a probability": (
        "adds the chance to the number of trials",
        "expects exactly one success for each trial",
    ),
}
