"""Trees: packing a directory into records and unpacking records into a directory, safely and in one pass.

Bytes, jobs and the purpose of a tree do not belong here: the codecs know the bytes, the stages know the purpose.
"""
