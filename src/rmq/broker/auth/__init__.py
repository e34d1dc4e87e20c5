# SPDX-License-Identifier: Apache-2.0
"""Users, their permissions, and the gate that every request passes (RocketMQ's AUTH 2.0).

model.py              users, resources, actions, policies; which entry decides
auth_metadata.py      who there is and what they may do: config/auth.json
permissions.py        what each request code needs: the one table
access_control.py     the gate: authentication, then authorization
sealed.py             how a master hands users to its slave without showing their passwords
"""
