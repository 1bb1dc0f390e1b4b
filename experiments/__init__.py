"""Claims about training networks, held against measurements: one claim, one file.

    python -m experiments list
    python -m experiments run X-01
    python -m experiments run all --quick
    python -m experiments judge X-01

A file fixes the question, the setup and the criterion before anything is measured. A run writes
what it measured as JSON, a picture, and one of three words: confirmed, mixed, not confirmed.
"""
