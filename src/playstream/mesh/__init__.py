"""The mesh: jobs for nodes that dial out, over NATS with JetStream. docs/mesh-design.md describes it."""
