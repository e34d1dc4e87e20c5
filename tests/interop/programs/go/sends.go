// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

var background = context.Background()

func plain(r *run) {
	ordinary := r.producer()
	colored := func(key, tag, color string) *primitive.Message {
		made := r.message(key, tag)
		made.WithProperty("color", color)
		return made
	}
	result, err := ordinary.SendSync(background, colored("sync", "TagA", "red"))
	r.saySend("sync", result, err)
	answer := make(chan string, 1)
	must(ordinary.SendAsync(background, func(_ context.Context, result *primitive.SendResult, err error) {
		answer <- sent(result, err)
	}, colored("async", "TagB", "green")))
	select {
	case text := <-answer:
		r.say("async: %s", text)
	case <-time.After(deadline):
		r.say("async: no answer")
	}
	must(ordinary.SendOneWay(background, colored("oneway", "TagC", "blue")))
	r.say("oneway: sent")
	result, err = ordinary.SendSync(background, message(r.base, "large", "TagA", large(5000)))
	r.saySend("large", result, err)

	big := r.producer(producer.WithCompressMsgBodyOverHowmuch(math.MaxInt32))
	result, err = big.SendSync(background, message(r.base, "full", "TagA", large(4*mebibyte)))
	r.saySend("full", result, err)
	result, err = big.SendSync(background, message(r.base, "over", "TagA", large(4*mebibyte+1)))
	r.saySend("over", result, err)
	wordy := r.message("props", "TagA")
	wordy.WithProperty("big", strings.Repeat("x", 33_000))
	result, err = big.SendSync(background, wordy)
	r.saySend("props", result, err)

	box := r.inbox("consumer", tags("*"))
	box.await(5)
	var lines []string
	for _, message := range box.all() {
		color := message.GetProperty("color")
		if color == "" {
			color = "-"
		}
		lines = append(lines, fmt.Sprintf("received key=%s tag=%s bytes=%d crc=%s color=%s",
			keyOf(&message.Message), message.GetTags(), len(message.Body), crc(message.Body), color))
	}
	r.sayAll(lines)
}

// byNumber sends number n to queue n % count of the topic's queues, sorted by broker name, then id.
type byNumber func(*primitive.Message) int

func (number byNumber) Select(
	message *primitive.Message, queues []*primitive.MessageQueue, _ string,
) *primitive.MessageQueue {
	ordered := append([]*primitive.MessageQueue(nil), queues...)
	sort.Slice(ordered, func(i, j int) bool {
		if ordered[i].BrokerName != ordered[j].BrokerName {
			return ordered[i].BrokerName < ordered[j].BrokerName
		}
		return ordered[i].QueueId < ordered[j].QueueId
	})
	return ordered[number(message)%len(ordered)]
}

func selector(r *run) {
	sender := r.producer(producer.WithQueueSelector(byNumber(func(message *primitive.Message) int {
		number, err := strconv.Atoi(string(message.Body))
		must(err)
		return number
	})))
	const count = 12
	for number := 0; number < count; number++ {
		text := strconv.Itoa(number)
		_, err := sender.SendSync(background, message(r.base, text, "TagA", []byte(text)))
		must(err)
	}
	r.say("sent: %d", count)
	box := r.inbox("consumer", tags("*"))
	box.await(count)
	arrived := box.all()
	sort.Slice(arrived, func(i, j int) bool { return arrived[i].QueueOffset < arrived[j].QueueOffset })
	queues := map[string]string{}
	for _, message := range arrived {
		// Brokers are told apart by the address in the record.
		queue := fmt.Sprint(message.StoreHost, " ", message.Queue.QueueId)
		queues[queue] += " " + string(message.Body)
	}
	var lines []string
	for _, numbers := range queues {
		lines = append(lines, "queue:"+numbers)
	}
	r.sayAll(lines)
}

func batch(r *run) {
	const count = 10
	var messages []*primitive.Message
	for number := 0; number < count; number++ {
		messages = append(messages, r.message(fmt.Sprint("b", number), "TagA"))
	}
	result, err := r.producer().SendSync(background, messages...)
	r.saySend("batch", result, err)
	box := r.inbox("consumer", tags("*"))
	box.await(count)
	arrived := box.all()
	sort.Slice(arrived, func(i, j int) bool { return arrived[i].QueueOffset < arrived[j].QueueOffset })
	inARow := true
	var lines []string
	for i, message := range arrived {
		inARow = inARow && keyOf(&message.Message) == fmt.Sprint("b", i) &&
			message.Queue.QueueId == arrived[0].Queue.QueueId && message.QueueOffset == arrived[0].QueueOffset+int64(i)
		lines = append(lines, received(message))
	}
	r.sayAll(lines)
	r.say("one queue, one after the other: %t", inARow)
}

func batchOver(r *run) {
	var tooMuch []*primitive.Message
	for number := 0; number < 5; number++ {
		tooMuch = append(tooMuch, message(r.base, "over", "TagA", large(mebibyte)))
	}
	result, err := r.producer().SendSync(background, tooMuch...)
	r.saySend("over", result, err)
}

var levelSeconds = []int64{0, 1, 5, 10}

func delay(r *run) {
	var mutex sync.Mutex
	lines := map[string]string{}
	must(r.start("consumer", r.base, tags("*"), func(_ context.Context, message *primitive.MessageExt) consumer.ConsumeResult {
		mutex.Lock()
		defer mutex.Unlock()
		key := keyOf(&message.Message)
		level := message.GetProperty(primitive.PropertyDelayTimeLevel)
		if level == "" {
			level = "0"
		}
		millis := time.Now().UnixMilli() - message.BornTimestamp
		lines[key] = fmt.Sprintf("received key=%s not early=%t level=%s", key, millis >= levelSeconds[key[1]-'0']*1000, level)
		return consumer.ConsumeSuccess
	}))
	sender := r.producer()
	for level := range levelSeconds {
		delayed := r.message(fmt.Sprint("d", level), "TagA")
		if level > 0 {
			delayed.WithDelayTimeLevel(level)
		}
		result, err := sender.SendSync(background, delayed)
		r.saySend(keyOf(delayed), result, err)
	}
	arrived := func() []string {
		mutex.Lock()
		defer mutex.Unlock()
		var texts []string
		for _, line := range lines {
			texts = append(texts, line)
		}
		return texts
	}
	await(deadline, func() bool { return len(arrived()) == len(levelSeconds) })
	r.sayAll(arrived())
}
