"""What training minimises: pure functions on tensors, which know no model, no data format and no cluster."""
