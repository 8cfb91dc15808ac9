"""Running programs that nobody vouches for: `Sandbox` holds them, `docs/sandbox.md` says against what."""
