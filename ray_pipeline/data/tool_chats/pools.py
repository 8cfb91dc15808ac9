"""Names, places, days and times that several domains draw from."""

from __future__ import annotations

from typing import Final

NAMES: Final = (
    "Aisha", "Alan", "Amara", "Anders", "Anna", "Ben", "Bianca", "Boris", "Carla", "Carys", "Cem", "Chloe", "Daniel", "Dara", "Dev",
    "Diego", "Edith", "Elena", "Emeka", "Erik", "Farah", "Felix", "Finn", "Flora", "Gareth", "Gita", "Grace", "Hamza", "Hana", "Hugo",
    "Ida", "Imran", "Ines", "Isla", "Ivan", "Jamal", "Jana", "Jonas", "Julia", "Kaito", "Karim", "Keira", "Klaus", "Lara", "Leon",
    "Liam", "Lucia", "Magnus", "Maria", "Mateo", "Mina", "Nadia", "Nikhil", "Noah", "Nora", "Olga", "Omar", "Orla", "Oscar", "Paula",
    "Pedro", "Petra", "Priya", "Quinn", "Rania", "Rosa", "Ruben", "Sam", "Sanna", "Selma", "Sofia", "Stefan", "Tariq", "Tessa", "Theo",
    "Uma", "Vera", "Viktor", "Wanda", "Wen", "Xavier", "Yara", "Yusuf", "Zara", "Zoltan",
)  # fmt: skip

CITIES: Final = (
    "Accra", "Amsterdam", "Ankara", "Athens", "Bangkok", "Barcelona", "Belfast", "Berlin", "Bergen", "Bogota", "Boston", "Brisbane",
    "Bristol", "Brussels", "Bucharest", "Budapest", "Cairo", "Cape Town", "Cardiff", "Chicago", "Cologne", "Copenhagen", "Dakar",
    "Delhi", "Denver", "Dublin", "Edinburgh", "Florence", "Geneva", "Glasgow", "Hamburg", "Hanoi", "Havana", "Helsinki", "Istanbul",
    "Jakarta", "Kyoto", "Lagos", "Lima", "Lisbon", "Liverpool", "London", "Lyon", "Madrid", "Manila", "Marseille", "Melbourne",
    "Mexico City", "Milan", "Montreal", "Mumbai", "Munich", "Nairobi", "Naples", "New York", "Osaka", "Oslo", "Paris", "Porto",
    "Prague", "Quito", "Reykjavik", "Riga", "Rome", "Santiago", "Seattle", "Seoul", "Seville", "Sofia", "Stockholm", "Sydney",
    "Tallinn", "Tokyo", "Toronto", "Turin", "Valencia", "Vancouver", "Vienna", "Warsaw", "Zagreb", "Zurich",
)  # fmt: skip

STREETS: Final = (
    "Abbey Road", "Apple Court", "Bakers Row", "Bridge Street", "Canal Street", "Castle Hill", "Chapel Lane", "Cherry Avenue",
    "Church Road", "Elm Grove", "Ferry Road", "Garden Street", "Green Lane", "Harbour View", "High Street", "King Street", "Lake Drive",
    "Linden Avenue", "Market Square", "Mill Lane", "North Parade", "Oak Crescent", "Orchard Close", "Park Lane", "Queens Road",
    "River Walk", "Rose Street", "School Lane", "Spring Gardens", "Station Road", "Temple Street", "Victoria Terrace", "Willow Way",
)  # fmt: skip

WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip
DATES: Final = tuple(f"{day} {month}" for month in _MONTHS for day in range(1, 29))
DAYS: Final = (*WEEKDAYS * (len(DATES) // len(WEEKDAYS)), *DATES)  # weekdays as often as dates
ISO_DATES: Final = tuple(f"2027-{month:02d}-{day:02d}" for month in range(1, 13) for day in range(1, 29))
TIMES: Final = tuple(f"{hour:02d}:{minute:02d}" for hour in range(7, 22) for minute in range(0, 60, 5))
