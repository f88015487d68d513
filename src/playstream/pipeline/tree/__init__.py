"""Trees: packing a directory into records and unpacking records into a directory, safely and in one pass.

Bytes, jobs and what a tree is sent for do not belong here: the codecs know the bytes, the stages know the purpose.
"""
