"""The Ray Serve application: deployments around `ray_pipeline.serving`, which knows nothing of Ray."""
