# SPDX-License-Identifier: Apache-2.0
"""Every rule that a setting or an inventory can break, in one place, as the sentence a user reads.

The name of a member, in lower case with dashes, is the rule's name in faults, documents and tests (`one-master`).
Braces are filled in by `Rule.fault`.
"""

from __future__ import annotations

from enum import Enum

from .fault import Fault


class Rule(str, Enum):
    """The rules; settings first, then nodes, pairs, clusters and machines."""

    # A file of settings.
    FILE_UNREADABLE = "a settings file is text in Java's properties syntax, 1 MiB at most"
    FILE_ESCAPE = "\\u in a properties file is followed by four hexadecimal digits"
    KEY_TWICE = "a key has one value; Apache would take the last one, on line {last}"
    KEY_UNKNOWN = "RocketMQ {version} knows no such key for a {kind} and would drop it without a word"
    KEY_REFUSED = "the Python engine refuses this rather than do something else: {why}"
    VALUE_ASCII = "a value outside ASCII is written in \\uXXXX, because Apache reads its files as Latin-1"
    VALUE_BLANKS = "a value has no blanks around it; Apache would drop such a number or boolean without a word"
    VALUE_CONTROL = "a value holds no line break and no control character"
    VALUE_TYPE = "{key} takes {expected}; Apache would drop anything else without a word"
    VALUE_RANGE = "{key} lies between {low} and {high}"
    VALUE_CHOICE = "{key} is one of {choices}; Apache would drop anything else without a word"
    VALUE_FORM = "{key} takes {expected}"
    RATIO_ORDER = (
        "diskMaxUsedSpaceRatio < diskSpaceCleanForciblyRatio < diskSpaceWarningLevelRatio: clean-up comes first, "
        "then clean-up by force, then writes stop"
    )
    IN_SYNC_ORDER = "minInSyncReplicas is not above inSyncReplicas"
    SLAVE_ID = "a slave's brokerId is above 0"
    MASTER_ID = "a master's brokerId is 0; Apache would start it as a second master with id 0"
    AUTHENTICATION_FIRST = "authorization needs authentication: without it an access key is what anybody claims"
    SLAVE_CREDENTIALS = "a slave signs what it asks its master, by innerClientAuthenticationCredentials"
    OWN_PORTS = "a broker takes listenPort, listenPort-2 and haListenPort, three different ports"
    TLS_CERTIFICATE = (
        "a server that speaks TLS shows a certificate of its own, tls.server.certPath and tls.server.keyPath; none is "
        "made at the start, as Apache's test mode does"
    )
    TLS_FILE = "a tls.config.file holds tls.server.*, tls.client.* and tls.test.mode.enable, but not tls.server.mode"
    TLS_PAIR = "a certificate and its key are set together"
    TLS_TRUST = "a certificate that is asked for is checked, against those in {key}"

    # A store.
    IDENTITY_READABLE = "a store says whose it is in config/identity.json: four fields in JSON, format 1"
    IDENTITY_SAME = "a store stays the same broker's; only promotion and rebuilding change that"

    # The inventory as a whole.
    MODE_KNOWN = "a mode is one of {choices}"
    MODE_AGREES = "rocketmq_mode, where it is set, is the mode of the playbook, {mode}"
    NODES_GIVEN = "an inventory has at least one host in {group}"
    NODE_FORM = "a node is a mapping with its host's name and its kind, broker or namesrv"
    HOST_ONCE = "one inventory host is one node"

    # One node's variables.
    VARIABLE_KNOWN = "there is no such variable"
    VARIABLE_FORM = "{variable} takes {expected}"
    CLUSTER_NAME_LEGAL = "a cluster's name is made of A-Z a-z 0-9 _ - . and has 100 characters at most"
    BROKER_NAME_GIVEN = "a broker has a rocketmq_broker_name; nodes of one pair share it"
    BROKER_NAME_LEGAL = "a broker's name is made of A-Z a-z 0-9 _ - . and has 100 characters at most"
    BROKER_ID_GIVEN = "a broker has a rocketmq_broker_id: 0 for the master, above 0 for a slave"
    BROKER_ID_INTEGER = "a broker's id is a whole number from 0 up"
    PORT_RANGE = "{variable} leaves room for every port that the node takes: it lies between {low} and {high}"
    ADDRESS_GIVEN = "a node advertises an address, and this one has none that could be taken for it"
    ADDRESS_FORM = "an address is an IP or a host name that the other nodes and the clients can resolve"
    ADDRESS_WILDCARD = "an advertised address is one address; a wildcard is none that a client could connect to"
    ADDRESS_LOOPBACK = "a loopback address is advertised only when all nodes of the cluster are on one machine"
    PATH_FORM = "a path is absolute and has no line break; a ~ at its start stands for the user's home"
    NAMESRV_LIST_FORM = "a name server list is host:port, several with ; between"
    NAMESRV_LIST_TWICE = "a name server stands in the list once"
    NAMESRV_LIST_SAME = "all brokers of a cluster register with the same name servers"
    NAMESRV_NEEDED = "a broker has name servers: those of its cluster, or rocketmq_namesrv_addr"
    CONFIG_FORM = "{variable} is a mapping of RocketMQ's keys to values"
    CONFIG_AGREES = "{key} follows from {source}; where it is written too, it says the same"
    ROLE_AGREES = "mode and rocketmq_broker_id make this node {role}; where brokerRole is written too, it says the same"

    # Pairs.
    ONE_MASTER = "exactly one node of a pair has rocketmq_broker_id 0"
    SLAVE_HAS_MASTER = "every pair has a master, the node with rocketmq_broker_id 0"
    ID_ONCE = "each node of a pair has its own rocketmq_broker_id"
    NO_SLAVES = "{mode} has no slaves"
    SLAVES_NEEDED = "in {mode} every master has at least one slave"
    ONE_MASTER_ONLY = "single-master has exactly one broker in a cluster"
    TWO_MASTERS = "{mode} has at least two masters in a cluster"
    IN_SYNC_BOUNDS = "rocketmq_in_sync_replicas counts the master too: 2 at least, {size} (the pair's size) at most"
    IN_SYNC_MODE = "only 2m-2s-sync waits for slaves, so rocketmq_in_sync_replicas has a meaning there alone"
    IN_SYNC_SAME = "rocketmq_in_sync_replicas is the same in the whole pair, so that it stays when a slave is promoted"
    FILE_SIZE_SAME = "all nodes of a pair have the same mappedFileSizeCommitLog, because the log is copied byte by byte"

    # Clusters and machines.
    BROKER_NAME_ONE_CLUSTER = "a broker's name belongs to one cluster at a name server; the last to register would win"
    ADDRESS_ONCE = "an advertised address and port belong to one node"
    PORTS_ONCE = "nodes on one machine take different ports (a broker takes listenPort, listenPort-2 and haListenPort)"
    STORE_ONCE = "each node on a machine has a store of its own, none inside another's"
    LOG_ONCE = "each node on a machine has a log directory of its own"
    HOME_ONE_CLUSTER = "a rocketmq_home holds one cluster"

    @property
    def slug(self) -> str:
        """The rule's name in faults, documents and tests."""
        return self.name.lower().replace("_", "-")

    def fault(self, host: str, value: str, mend: str, **details: object) -> Fault:
        """The fault of breaking this rule; ``details`` fill the braces of its sentence."""
        return Fault(host, value, self.value.format(**details), mend, self.slug)
