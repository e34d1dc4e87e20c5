# SPDX-License-Identifier: Apache-2.0
"""Apache's mqadmin against both engines: the cases, what may differ, and how two answers are compared."""
