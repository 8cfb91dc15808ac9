"""What a rollout is worth: parts that are added up by weight, ours and the user's own."""
