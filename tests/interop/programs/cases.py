# SPDX-License-Identifier: Apache-2.0
"""The interop cases: what a program written against a client's public API does, and who can run it.

A case prints the same transcript with every client on every engine; it is kept once, in expected/<case>.txt.

**Command line.** `<program> CASE[,CASE...] NAMESRV_ADDR PREFIX`. The cases run side by side in one process; the
transcript of each is printed as a whole when it is over, after a line `== <case>`. Exit 0: every case ran to its end.
Only standard output counts. A case that throws prints `failed: <text>` as its last line, and its stack on standard
error.

**Names.** PREFIX is `IT<client>-`, lower-case letters and digits between. The topics of a case are `<PREFIX><case>` and
`<PREFIX><case>-<name>`, its groups `<PREFIX><case>-<name>`; CASES below lists the topics and the groups that exist
before the program starts. All other groups are the program's own. Each case uses client instances of its own
(`setInstanceName(<PREFIX><case>-<n>)`), so that no connection serves two cases: which codes a case needs is told by
its connections (harness/noting_main.py).

**Lines.** UTF-8, no trailing blank. Whatever has no promised order is sorted by its text. No id, time, port, or name of
a broker.
- A send: `<what>: SEND_OK` (or the status). A send that fails: `<what>: code=<response code> <remark>`, of the remark
  only the first line; an error that the client makes itself: as the case says.
- A message: `received key=<keys> tag=<tag> body=<text>`; for the large ones, not text: `bytes=<n> crc=<CRC-32, 8 hex>`.
- A list of keys: `<what>: a b c`, sorted, one blank between; an empty one: `<what>: -`.
- A yes or no: `true` or `false`.
- A text body is `body of <key>` unless a case says otherwise. A large body has the byte (i * 31) % 251 at place i.
- A group reads from the first offset. A wait ends 60 s after its start at the latest (transaction: 150 s), and
  then the transcript shows what there is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

JAVA_5: Final = "java-5.4.0"
JAVA_4: Final = "java-4.9.8"
GO: Final = "go-2.1.2"
CLIENTS: Final = (JAVA_5, JAVA_4, GO)

# Not answered by the Python engine yet: these cells are left out there. To be emptied.
PENDING: Final[dict[str, str]] = {}

# Cells that end otherwise than expected/<case>.txt, with the heading in differences.md that says why. Where the other
# transcript is known to the letter it is expected/<case>.<engine>.txt.
DIFFERENCES: Final[dict[tuple[str, str, str], str]] = {
    **{("batchover", client, "apache"): "batch-over-the-limit" for client in CLIENTS},
    ("resumecheck", JAVA_5, "apache"): "half-messages-of-ordinary-ones",
    ("batch", JAVA_4, "apache"): "batch-of-an-old-client-with-checksums",
}


@dataclass(frozen=True)
class Topic:
    """A topic that exists on each master before the program starts. `name` follows `<PREFIX><case>`."""

    name: str = ""
    queues: int = 2
    perm: int = 6
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """`steps`: what the program does, line by line of the transcript. `cannot`: clients that cannot, and why."""

    name: str
    title: str
    steps: str
    topics: tuple[Topic, ...] = (Topic(),)
    # Groups whose messages the broker hands out itself (POP).
    pop_groups: tuple[str, ...] = ()
    cannot: dict[str, str] = field(default_factory=dict)


_ONE_QUEUE = (Topic(queues=1),)
_NO_ADMIN = {JAVA_4: "the client 4.9.8 has no administration", GO: "the Go client has few of these calls"}
_NO_LITE_PULL = "the Go client has no lite pull consumer"

CASES: Final[tuple[Case, ...]] = (
    Case(
        "plain",
        "send: sync, async, one-way, properties, compression, 4 MiB and over",
        """Producer with a time-out of 20 s and no retries. `sync` (TagA, user property color=red), `async` (TagB,
        color=green), `oneway` (TagC, color=blue): lines `sync: SEND_OK`, `async: SEND_OK`, `oneway: sent`. `large`,
        TagA: 5,000 bytes of body, which the client compresses. A producer that does not compress (and whose own
        limit is 8 MiB): `full`, 4,194,304 bytes; `over`, one byte more (code=13); `props`, property big of 33,000 x
        (code=13). Push consumer: each message as `received key= tag= bytes= crc= color=` (color=- without).""",
    ),
    Case(
        "selector",
        "send to the queue that a selector names",
        """12 messages, keys and bodies 0 to 11, sent one after the other; number n goes to queue n % 4 of the topic's
        queues sorted by broker name, then id: `sent: 12`. Push consumer: a line for each queue, in the order of the
        first number: `queue: 0 4 8`, its numbers by queue offset.""",
    ),
    Case(
        "batch",
        "many messages in one send",
        """`batch: SEND_OK`: one send of 10 messages, keys b0 to b9, TagA. Push consumer: `received` lines; then `one
        queue, one after the other: true`.""",
    ),
    Case(
        "batchover",
        "a batch over 4 MiB",
        "`over: code=...`: one send of 5 messages of 1 MiB each (the client's own limit raised to 8 MiB).",
    ),
    Case(
        "delay",
        "delay levels",
        """A push consumer stands ready before the sends. Level 0, 1, 2, 3 (keys d0 to d3): `d1: SEND_OK` ..., then
        `received key=d1 not early=true level=<the message's delay level as received>` for each: received no sooner
        than 0, 1, 5, 10 s after its birth.""",
    ),
    Case(
        "timer",
        "messages of any delay",
        """As delay, with properties: `seconds` (TIMER_DELAY_SEC=2), `millis` (TIMER_DELAY_MS=1500), `deliver`
        (TIMER_DELIVER_MS = now + 3,000), set by the client's methods where it has them, else as a property of the
        message: `seconds: SEND_OK` ..., `far: code=13 ...` (TIMER_DELAY_SEC = 4 days), then `received key= not
        early=true`: no sooner than due, less the second to which brokers round (timerPrecisionMs).""",
    ),
    Case(
        "recall",
        "take a timer message back",
        """`kept` (2 s), `recalled` (6 s): SEND_OK; `recall: the id of the message=true`: recallMessage gives back the
        message's id. A handle that says nothing: `bad handle: refused`. Received 9 s after the sends: `received:
        kept`.""",
        cannot={JAVA_4: "recall came with 5.3 clients", GO: "the Go client has no recall"},
    ),
    Case(
        "transaction",
        "transactions: commit, rollback, check-back",
        """Two each of `commit-<n>`, `rollback-<n>`, and `later-commit-<n>`, `later-rollback-<n>`, which are UNKNOW
        until the broker asks: `commit-0: SEND_OK` ... in this order. Until all four were asked for, the four
        committed are received and 3 s more: `asked: ...` (of the later ones), `received: ...` (each key once).""",
    ),
    Case(
        "push",
        "concurrent push consumer with a tag filter",
        """12 messages, keys p00 to p11, tags TagA, TagB, TagC in turn. Three groups: `*: p00 ...`, `TagA || TagC:
        ...`, `TagB: ...`, the keys received by each until it has all of its own and 1 s more.""",
    ),
    Case(
        "sql",
        "SQL92 filters",
        """10 messages, keys s0 to s9, properties number=<n>, color=red (even) or blue (odd), TagA below 5, else TagB.
        A group for each expression, until it has its own and 1 s more, a line `<expression>: keys`: number BETWEEN
        3 AND 5 OR number > 8 / color = 'red' AND NOT (number < 4) / TAGS = 'TagA' AND missing IS NULL / number IN
        ('0', '7').""",
    ),
    Case(
        "sqlbad",
        "a wrong SQL92 expression is refused at the start",
        "A push consumer with `number >` : `start: code=23`.",
        cannot={GO: "the Go client does not ask the broker about an expression before it starts"},
    ),
    Case(
        "orderly",
        "orderly push consumer",
        """32 messages: order o (0 to 3) step s (0 to 7), key <o>-<s>, all of one order in one queue (queue o of the
        sorted queues). Orderly consumer; the first time that it sees 2-3 it suspends the queue. Lines `order 0: 0 1
        2 ...`, `order 2: 0 1 2 3 3 4 ...`: steps in the order in which they were consumed, the repeated one twice.""",
    ),
    Case(
        "broadcasting",
        "broadcasting: every consumer gets every message",
        """Two consumers of one group stand ready; 8 messages, keys b0 to b7: `first: b0 ...`, `second: b0 ...`.""",
    ),
    Case(
        "retry",
        "consume again later, back-off, dead letter topic",
        """Group `<PREFIX>retry-group` with at most 2 consumptions more. `once` fails the first time and leaves the
        delay to the broker; `never` always fails and asks for delay level 1. Lines: `once: times 0 1` (reconsume
        times seen), `once: not before 10 s=true`, `never: times 0 1 2`, `topic is its own=true` (message topic of
        each retry), and from the topic %DLQ%<group>, read by a push consumer of another group: `dead letter
        key=never body=body of never`.""",
    ),
    Case(
        "litepull",
        "lite pull consumer: subscribe, assign, seek, commit",
        """Two queues with 4 messages each: keys 0-0 to 1-3. `subscribed: keys`, polled and committed. Then a consumer
        of another group assigns both queues: `offset for time 0: 0 0`; seeks both to the begin: `from the begin:
        keys`; first queue to offset 2: `from 2: 0-2 0-3`; commits: `committed: 4 4`; seeks both to the end, one
        message x in the first queue: `at the end: x`. Last, a new consumer of the first group with subscription:
        `resumed: x`.""",
        topics=_ONE_QUEUE,
        cannot={GO: _NO_LITE_PULL},
    ),
    Case(
        "pull",
        "the old pull consumer",
        """First queue (sorted) with 5 messages, keys p0 to p4, tags TagA, TagB in turn. `min max: 0 5`; `pull 0: FOUND
        p0 p1 p2 p3 p4 next=5`; `pull 5: NO_NEW_MSG next=5`; `pull 99: OFFSET_ILLEGAL next=5`; `TagB: FOUND p1 p3
        next=5`; `TagZ: NO_MATCHED_MSG next=5`; a blocking pull at 5 while p5 is sent: `blocked: FOUND p5 next=6`;
        the offset 3 is stored, and a new consumer of the group asks: `stored: 3`.""",
        topics=_ONE_QUEUE,
        cannot={GO: "its pull consumer filters by subscription, not by pull"},
    ),
    Case(
        "reply",
        "request and reply",
        """A push consumer answers each request with `reply to <body>`, but `silent` not at all. `question`: answer
        `answered: reply to body of question`; `silent` with a time-out of 3 s: `silent: time-out`. (An asynchronous
        request of the Java client calls back with null once the request was sent, on either engine: left out.)""",
    ),
    Case(
        "query",
        "query by key, unique id, offset id",
        """`one` and `two` with keys `shared <own>`, `three` with key `three`. `by key shared: one two`, `by key three:
        three` (bodies are `one`, `two`, `three`), `by unique id: one`, `by offset id: one`, `by unknown key:
        code=208`.""",
        cannot={GO: "the Go client has no queries"},
    ),
    Case(
        "trace",
        "message trace",
        """Producer and push consumer with trace on into the topic `<PREFIX>trace-log`: one message, key t0: `t0:
        SEND_OK`. A consumer of the trace topic prints for each trace entry: `Pub key= region= success=`, `SubBefore
        key= region= retries=`, `SubAfter key= success=`, sorted.""",
        topics=(Topic(), Topic("log")),
    ),
    Case(
        "refused",
        "sends that the broker refuses",
        """To a named queue of one broker, without retries; createTopicKey is a topic that does not exist. `first:
        SEND_OK` (so that the client knows the broker); `queue 99: code=29 ...` (of the remark what stands before "
        ["); queue 0 of the topic `<PREFIX>refused-readonly` with perm 4: `read only: ...`; of
        `<PREFIX>refused-unknown`, which does not exist: `unknown: code=17 ...` (the topic written as <topic>).""",
        topics=(Topic(), Topic("readonly", perm=4)),
        cannot={GO: "it asks no broker about a topic without a route"},
    ),
    Case(
        "offsets",
        "offsets: by time, limits, commit and resume",
        """First queue: 2 messages, a pause, 3 messages. `min max: 0 5`, `by time: 2`, `by a time to come: 5`,
        `earliest is a time=true`. A group consumes: `first: keys`; ends; 2 more are sent; a new consumer of the
        group: `second: keys` (only the new ones).""",
        topics=_ONE_QUEUE,
        cannot={GO: "its public API asks for no offsets"},
    ),
    Case(
        "createtopic",
        "a topic made by a client",
        """createTopic with key TBW102, 3 queues, name `<PREFIX>createtopic-made`: `queues: 3 3` (for each broker),
        then one message is sent and received.""",
        topics=(),
        cannot={GO: "its administration wants the address of a broker, which its public API does not tell"},
    ),
    Case(
        "rebalance",
        "consumers of a group share its queues",
        """4 queues. `alone: 4`; a second consumer starts: `shared: 2 2`; it ends: `alone again: 4`; `told at
        once=true`: each change within 15 s (clients look by themselves every 20 s).""",
    ),
    Case(
        "pop",
        "push consumer in POP mode",
        """clientRebalance=false, the group's mode is POP on the broker. 8 messages, keys p0 to p7; p3 fails the first
        time: `received: p0 ...`, `p3: times 0 1`.""",
        pop_groups=("group",),
        cannot={JAVA_4: "POP came with 5.0 clients", GO: "the Go client has no POP consumer"},
    ),
    Case(
        "priority",
        "messages with a priority in a topic of the type PRIORITY",
        """4 queues. To the first of the sorted queues: `p0`, `p2`, `p3`, `p9` with that priority, and `ordered` with
        priority 3 and a sharding key, which makes it one without: `p0: queue <the queue's number in the answer>`
        .... Then a push consumer as in pop, with one thread: `received: p3=<its priority> ...`, in the order in which
        it gets them: the highest queue first.""",
        topics=(Topic(queues=4, attributes={"+message.type": "PRIORITY"}),),
        pop_groups=("group",),
        cannot={JAVA_4: "priorities came with 5.4 clients", GO: "the Go client has no priorities"},
    ),
    Case(
        "admin",
        "what dashboards ask beyond mqadmin's commands",
        """DefaultMQAdminExt, line by line as the program of 5.4.0 reads: key-value configuration, topics of a cluster,
        system and unit topics; a group that has consumed 8 messages: its configuration, topics, subscription, time
        spans, status of its consumers, offsets of other groups, a clone, read permission.""",
        cannot=_NO_ADMIN,
    ),
    Case(
        "resumecheck",
        "an ordinary message is made no half message",
        """DefaultMQAdminExt.resumeCheckHalfMessage of an ordinary message: `an ordinary message is checked
        again=false`.""",
        cannot=_NO_ADMIN,
    ),
)

BY_NAME: Final = {case.name: case for case in CASES}


def runnable(client: str) -> list[Case]:
    """The cases that this client can run, in their order here."""
    return [case for case in CASES if client not in case.cannot]
