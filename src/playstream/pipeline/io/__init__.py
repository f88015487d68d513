"""How bytes are passed between stages: the ends of pipes and sockets.

What the bytes mean is the protocol's; when to send is the stage's.
"""
