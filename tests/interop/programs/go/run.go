// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"fmt"
	"hash/crc32"
	"os"
	"regexp"
	"runtime/debug"
	"sort"
	"strings"
	"sync"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

const (
	deadline = 60 * time.Second
	poll     = 20 * time.Millisecond
	// How long to look for a message that must not come.
	linger = time.Second
)

// run is one run of one case: its names, its clients, its transcript. A fault of the client ends it by a panic.
type run struct {
	namesrv   []string
	base      string
	mutex     sync.Mutex
	instances int
	lines     strings.Builder
	shutdowns []func() error
}

func newRun(name, namesrv, prefix string) *run {
	return &run{namesrv: strings.Split(namesrv, ";"), base: prefix + name}
}

func (r *run) transcript(program func(*run)) string {
	func() {
		defer func() {
			if fault := recover(); fault != nil {
				fmt.Fprintf(os.Stderr, "--- %s\n%v\n%s\n", r.base, fault, debug.Stack())
				r.say("failed: %v", fault)
			}
		}()
		program(r)
	}()
	for i := len(r.shutdowns) - 1; i >= 0; i-- {
		_ = r.shutdowns[i]()
	}
	return r.lines.String()
}

func (r *run) say(format string, values ...interface{}) {
	fmt.Fprintf(&r.lines, format+"\n", values...)
}

// sayAll says lines that have no order of their own.
func (r *run) sayAll(lines []string) {
	sort.Strings(lines)
	for _, line := range lines {
		r.say("%s", line)
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// ---- names and clients ----------------------------------------------------------------------------------------------

func (r *run) topic() string { return r.base }

func (r *run) name(part string) string { return r.base + "-" + part }

// instance is one of the case's own: no connection serves two cases.
func (r *run) instance() string {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.instances++
	return fmt.Sprintf("%s-%d", r.base, r.instances)
}

func (r *run) resolver() primitive.NsResolver { return primitive.NewPassthroughResolver(r.namesrv) }

func (r *run) producerOptions(more ...producer.Option) []producer.Option {
	return append([]producer.Option{
		producer.WithNsResolver(r.resolver()),
		producer.WithGroupName(r.name("producer")),
		producer.WithInstanceName(r.instance()),
		producer.WithRetry(0),
	}, more...)
}

func (r *run) producer(more ...producer.Option) rocketmq.Producer {
	made, err := rocketmq.NewProducer(r.producerOptions(more...)...)
	must(err)
	must(made.Start())
	r.shutdowns = append(r.shutdowns, made.Shutdown)
	return made
}

type listener func(context.Context, ...*primitive.MessageExt) (consumer.ConsumeResult, error)

func (r *run) consumer(group, topic string, selector consumer.MessageSelector, listen listener,
	more ...consumer.Option) rocketmq.PushConsumer {
	options := append([]consumer.Option{
		consumer.WithNsResolver(r.resolver()),
		consumer.WithGroupName(r.name(group)),
		consumer.WithInstance(r.instance()),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
		consumer.WithConsumeMessageBatchMaxSize(1),
	}, more...)
	made, err := rocketmq.NewPushConsumer(options...)
	must(err)
	must(made.Subscribe(topic, selector, listen))
	must(made.Start())
	r.shutdowns = append(r.shutdowns, made.Shutdown)
	return made
}

func byTag(expression string) consumer.MessageSelector {
	return consumer.MessageSelector{Type: consumer.TAG, Expression: expression}
}

// push is a running push consumer of the case's topic.
func (r *run) push(group, tags string) *inbox {
	arrived := &inbox{}
	r.consumer(group, r.topic(), byTag(tags), arrived.listen)
	return arrived
}

// queues are the topic's by broker name, then id.
func (r *run) queues(topic string) []*primitive.MessageQueue {
	tool, err := admin.NewAdmin(admin.WithResolver(r.resolver()))
	must(err)
	defer func() { _ = tool.Close() }()
	queues, err := tool.FetchPublishMessageQueues(context.Background(), topic)
	must(err)
	sort.Slice(queues, func(i, j int) bool {
		if queues[i].BrokerName != queues[j].BrokerName {
			return queues[i].BrokerName < queues[j].BrokerName
		}
		return queues[i].QueueId < queues[j].QueueId
	})
	return queues
}

// inbox keeps what arrives.
type inbox struct {
	mutex    sync.Mutex
	messages []*primitive.MessageExt
}

func (i *inbox) listen(_ context.Context, arrived ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	i.messages = append(i.messages, arrived...)
	return consumer.ConsumeSuccess, nil
}

func (i *inbox) all() []*primitive.MessageExt {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	return append([]*primitive.MessageExt(nil), i.messages...)
}

func (i *inbox) keys() []string {
	keys := []string{}
	for _, message := range i.all() {
		keys = append(keys, message.GetKeys())
	}
	return keys
}

func (i *inbox) await(count int) {
	await(deadline, func() bool { return len(i.all()) >= count })
}

// await tells whether it came to be true in time; the transcript shows what there is in any case.
func await(within time.Duration, condition func() bool) bool {
	for end := time.Now().Add(within); !condition(); time.Sleep(poll) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// ---- messages and their text ----------------------------------------------------------------------------------------

func newMessage(topic, tag, key string, body []byte) *primitive.Message {
	return primitive.NewMessage(topic, body).WithTag(tag).WithKeys([]string{key})
}

func (r *run) message(key, tag string) *primitive.Message {
	return newMessage(r.topic(), tag, key, []byte("body of "+key))
}

func large(count int) []byte {
	body := make([]byte, count)
	for i := range body {
		body[i] = byte(i * 31 % 251)
	}
	return body
}

func checksum(body []byte) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE(body)) }

func received(message *primitive.MessageExt) string {
	return fmt.Sprintf("received key=%s tag=%s body=%s", message.GetKeys(), message.GetTags(), message.Body)
}

func unique(words []string) []string {
	seen := map[string]bool{}
	found := []string{}
	for _, word := range words {
		if !seen[word] {
			seen[word] = true
			found = append(found, word)
		}
	}
	sort.Strings(found)
	return found
}

func list(words []string) string {
	if len(words) == 0 {
		return "-"
	}
	return strings.Join(unique(words), " ")
}

// ---- sends ----------------------------------------------------------------------------------------------------------

var statuses = map[primitive.SendStatus]string{
	primitive.SendOK:                "SEND_OK",
	primitive.SendFlushDiskTimeout:  "FLUSH_DISK_TIMEOUT",
	primitive.SendFlushSlaveTimeout: "FLUSH_SLAVE_TIMEOUT",
	primitive.SendSlaveNotAvailable: "SLAVE_NOT_AVAILABLE",
}

// The client's text of a refusal.
var refusal = regexp.MustCompile(`^CODE: (\d+), DESC: ([^\n]*)`)

func outcome(result *primitive.SendResult, err error) string {
	if err == nil {
		return statuses[result.Status]
	}
	if found := refusal.FindStringSubmatch(err.Error()); found != nil {
		return "code=" + found[1] + " " + strings.TrimSpace(found[2])
	}
	return "failed: " + err.Error()
}

func (r *run) saySend(what string, p rocketmq.Producer, messages ...*primitive.Message) {
	r.say("%s: %s", what, outcome(p.SendSync(context.Background(), messages...)))
}
