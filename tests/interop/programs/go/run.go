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

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

const (
	deadline  = 60 * time.Second
	lookAgain = 20 * time.Millisecond
	linger    = time.Second
	mebibyte  = 1 << 20
)

// A run of one case: its names, its clients, its transcript.
type run struct {
	namesrv   []string
	base      string
	lines     strings.Builder
	instances int
	shutdowns []func() error
}

func newRun(name, namesrv, prefix string) *run {
	return &run{namesrv: strings.Split(namesrv, ";"), base: prefix + name}
}

func (r *run) transcript(program func(*run)) string {
	func() {
		defer func() {
			if failure := recover(); failure != nil {
				fmt.Fprintf(os.Stderr, "--- %s: %v\n%s", r.base, failure, debug.Stack())
				r.say("failed: %v", failure)
			}
		}()
		program(r)
	}()
	for i := len(r.shutdowns) - 1; i >= 0; i-- {
		if err := r.shutdowns[i](); err != nil {
			fmt.Fprintf(os.Stderr, "--- %s: shutdown: %v\n", r.base, err)
		}
	}
	return r.lines.String()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func (r *run) say(format string, values ...interface{}) {
	fmt.Fprintf(&r.lines, format+"\n", values...)
}

func (r *run) sayAll(lines []string) {
	for _, line := range sorted(lines) {
		r.say("%s", line)
	}
}

// ---- names and clients

func (r *run) name(part string) string { return r.base + "-" + part }

// An instance of its own for each client: no connection serves two cases.
func (r *run) instance() string {
	r.instances++
	return fmt.Sprintf("%s-%d", r.base, r.instances)
}

func (r *run) producerOptions(more ...producer.Option) []producer.Option {
	return append([]producer.Option{
		producer.WithGroupName(r.name("producer")),
		producer.WithInstanceName(r.instance()),
		producer.WithNameServer(r.namesrv),
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

type listener func(context.Context, *primitive.MessageExt) consumer.ConsumeResult

// A running push consumer. The error is that of its start: a topic without a route is one.
func (r *run) start(group, topic string, by consumer.MessageSelector, listen listener, more ...consumer.Option) error {
	made, err := rocketmq.NewPushConsumer(append([]consumer.Option{
		consumer.WithGroupName(r.name(group)),
		consumer.WithInstance(r.instance()),
		consumer.WithNameServer(r.namesrv),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
		consumer.WithConsumeMessageBatchMaxSize(1),
	}, more...)...)
	must(err)
	must(made.Subscribe(topic, by, func(ctx context.Context, arrived ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		return listen(ctx, arrived[0]), nil
	}))
	if err := made.Start(); err != nil {
		return err
	}
	r.shutdowns = append(r.shutdowns, made.Shutdown)
	return nil
}

func tags(expression string) consumer.MessageSelector {
	return consumer.MessageSelector{Type: consumer.TAG, Expression: expression}
}

// An inbox keeps what arrives.
type inbox struct {
	mutex    sync.Mutex
	messages []*primitive.MessageExt
}

func (r *run) inbox(group string, by consumer.MessageSelector, more ...consumer.Option) *inbox {
	box := new(inbox)
	must(r.start(group, r.base, by, box.take, more...))
	return box
}

func (box *inbox) take(_ context.Context, message *primitive.MessageExt) consumer.ConsumeResult {
	box.mutex.Lock()
	defer box.mutex.Unlock()
	box.messages = append(box.messages, message)
	return consumer.ConsumeSuccess
}

func (box *inbox) all() []*primitive.MessageExt {
	box.mutex.Lock()
	defer box.mutex.Unlock()
	return append([]*primitive.MessageExt(nil), box.messages...)
}

func (box *inbox) keys() []string {
	var keys []string
	for _, message := range box.all() {
		keys = append(keys, keyOf(&message.Message))
	}
	return keys
}

func (box *inbox) await(count int) {
	await(deadline, func() bool { return len(box.all()) >= count })
}

// ---- waiting

// Whether it came to be true in time; the transcript shows what there is in any case.
func await(within time.Duration, condition func() bool) bool {
	end := time.Now().Add(within)
	for !condition() {
		if time.Now().After(end) {
			return false
		}
		time.Sleep(lookAgain)
	}
	return true
}

// ---- messages and their text

func message(topic, key, tag string, body []byte) *primitive.Message {
	return primitive.NewMessage(topic, body).WithTag(tag).WithKeys([]string{key})
}

func (r *run) message(key, tag string) *primitive.Message {
	return message(r.base, key, tag, []byte("body of "+key))
}

func large(count int) []byte {
	body := make([]byte, count)
	for i := range body {
		body[i] = byte(i * 31 % 251)
	}
	return body
}

func crc(body []byte) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE(body)) }

func keyOf(message *primitive.Message) string { return message.GetKeys() }

func received(message *primitive.MessageExt) string {
	return fmt.Sprintf("received key=%s tag=%s body=%s", keyOf(&message.Message), message.GetTags(), message.Body)
}

func sorted(texts []string) []string {
	copied := append([]string(nil), texts...)
	sort.Strings(copied)
	return copied
}

// Keys, sorted, each once.
func list(keys []string) string {
	var once []string
	for _, key := range sorted(keys) {
		if len(once) == 0 || once[len(once)-1] != key {
			once = append(once, key)
		}
	}
	if len(once) == 0 {
		return "-"
	}
	return strings.Join(once, " ")
}

var statuses = map[primitive.SendStatus]string{
	primitive.SendOK:                "SEND_OK",
	primitive.SendFlushDiskTimeout:  "FLUSH_DISK_TIMEOUT",
	primitive.SendFlushSlaveTimeout: "FLUSH_SLAVE_TIMEOUT",
	primitive.SendSlaveNotAvailable: "SLAVE_NOT_AVAILABLE",
}

// How the client writes a broker's refusal of a send.
var refusal = regexp.MustCompile(`^CODE: (\d+), DESC: ([^\n]*)`)

func (r *run) saySend(what string, result *primitive.SendResult, err error) {
	r.say("%s: %s", what, sent(result, err))
}

// The status, or the code and the first line of the broker's remark.
func sent(result *primitive.SendResult, err error) string {
	if err == nil {
		return statuses[result.Status]
	}
	if parts := refusal.FindStringSubmatch(err.Error()); parts != nil {
		return "code=" + parts[1] + " " + strings.TrimSpace(parts[2])
	}
	return "failed: " + err.Error()
}
