"""The Python face: what a program calls, one module for each stage.

It joins stages with links; what a stage does is the stage's, and words for the terminal are the command line's.
Nothing is imported here, so that a program loads only the stages it uses.
"""
