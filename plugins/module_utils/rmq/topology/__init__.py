# SPDX-License-Identifier: Apache-2.0
"""What is decided before a node runs: settings, inventories, boot lines, identity.

Pure: no file, socket or clock is touched here. Everything that is wrong comes back as a `Fault`, all of them at
once, so that an operator mends her inventory in one go; nothing is raised for what a user wrote.
"""
