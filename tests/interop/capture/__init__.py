# SPDX-License-Identifier: Apache-2.0
"""Golden frames and files: what a live Apache 5.4.0 answers to fixed requests (`make golden`)."""
