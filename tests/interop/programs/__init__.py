# SPDX-License-Identifier: Apache-2.0
"""Programs against the public API of official clients, and what they have to print (cases.py)."""
