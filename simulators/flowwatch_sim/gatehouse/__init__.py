"""A reference controller of gates: it obeys docs/gate-protocol.md, over MQTT or HTTP, and misbehaves when it is asked to."""
