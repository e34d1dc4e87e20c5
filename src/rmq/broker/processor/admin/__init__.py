# SPDX-License-Identifier: Apache-2.0
"""What tools and slaves ask for: Apache's AdminBrokerProcessor, split by subject."""
