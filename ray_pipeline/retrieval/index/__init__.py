"""The approximate index that is built once, published, and searched from then on."""
