"""Text that policies write: vLLM engines, and what is asked of them."""
