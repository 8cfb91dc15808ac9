"""What runs inside a jail, on the standard library alone: a nursery that forks, and the programs it gives birth to.

These files are imported twice: by the library as `ray_pipeline.sandbox.inside`, and inside a jail, where nothing else of the library is visible,
as the top-level package `inside`. So they import each other relatively and nothing beyond the standard library.
"""
