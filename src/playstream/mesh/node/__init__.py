"""A node: it takes jobs of its groups from the mesh, and starts a worker for each."""
