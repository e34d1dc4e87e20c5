// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

const mib = 1 << 20

func colored(r *run, key, tag, color string) *primitive.Message {
	message := r.message(key, tag)
	message.WithProperty("color", color)
	return message
}

func plain(r *run) {
	p := r.producer()
	r.saySend("sync", p, colored(r, "sync", "TagA", "red"))
	answer := make(chan string, 1)
	must(p.SendAsync(context.Background(), func(_ context.Context, result *primitive.SendResult, err error) {
		answer <- outcome(result, err)
	}, colored(r, "async", "TagB", "green")))
	select {
	case text := <-answer:
		r.say("async: %s", text)
	case <-time.After(deadline):
		r.say("async: no answer")
	}
	must(p.SendOneWay(context.Background(), colored(r, "oneway", "TagC", "blue")))
	r.say("oneway: sent")
	r.saySend("large", p, newMessage(r.topic(), "TagA", "large", large(5000)))

	big := r.producer(producer.WithCompressMsgBodyOverHowmuch(math.MaxInt32))
	r.saySend("full", big, newMessage(r.topic(), "TagA", "full", large(4*mib)))
	r.saySend("over", big, newMessage(r.topic(), "TagA", "over", large(4*mib+1)))
	wordy := r.message("props", "TagA")
	wordy.WithProperty("big", strings.Repeat("x", 33_000))
	r.saySend("props", big, wordy)

	inbox := r.push("consumer", "*")
	inbox.await(5)
	lines := []string{}
	for _, message := range inbox.all() {
		color := message.GetProperty("color")
		if color == "" {
			color = "-"
		}
		lines = append(lines, fmt.Sprintf("received key=%s tag=%s bytes=%d crc=%s color=%s",
			message.GetKeys(), message.GetTags(), len(message.Body), checksum(message.Body), color))
	}
	r.sayAll(lines)
}

func selector(r *run) {
	queues := r.queues(r.topic())
	p := r.producer(producer.WithQueueSelector(producer.NewManualQueueSelector()))
	sent := 0
	for number := 0; number < 12; number++ {
		text := strconv.Itoa(number)
		message := newMessage(r.topic(), "TagA", text, []byte(text))
		message.Queue = queues[number%len(queues)]
		_, err := p.SendSync(context.Background(), message)
		must(err)
		sent++
	}
	r.say("sent: %d", sent)
	inbox := r.push("consumer", "*")
	inbox.await(sent)
	byQueue := map[string][]*primitive.MessageExt{}
	for _, message := range inbox.all() {
		place := fmt.Sprint(message.Queue.BrokerName, message.Queue.QueueId)
		byQueue[place] = append(byQueue[place], message)
	}
	lines := []string{}
	for _, messages := range byQueue {
		sort.Slice(messages, func(i, j int) bool { return messages[i].QueueOffset < messages[j].QueueOffset })
		words := []string{}
		for _, message := range messages {
			words = append(words, string(message.Body))
		}
		lines = append(lines, "queue: "+strings.Join(words, " "))
	}
	r.sayAll(lines)
}

func batch(r *run) {
	messages := []*primitive.Message{}
	for number := 0; number < 10; number++ {
		messages = append(messages, r.message(fmt.Sprint("b", number), "TagA"))
	}
	r.saySend("batch", r.producer(), messages...)
	inbox := r.push("consumer", "*")
	inbox.await(len(messages))
	arrived := inbox.all()
	sort.Slice(arrived, func(i, j int) bool { return arrived[i].QueueOffset < arrived[j].QueueOffset })
	inARow := true
	lines := []string{}
	for i, message := range arrived {
		first := arrived[0]
		inARow = inARow && message.GetKeys() == fmt.Sprint("b", i) && message.Queue.QueueId == first.Queue.QueueId &&
			message.QueueOffset == first.QueueOffset+int64(i)
		lines = append(lines, received(message))
	}
	r.sayAll(lines)
	r.say("one queue, one after the other: %t", inARow)
}

func batchOver(r *run) {
	messages := []*primitive.Message{}
	for number := 0; number < 5; number++ {
		messages = append(messages, newMessage(r.topic(), "TagA", "over", large(mib)))
	}
	r.saySend("over", r.producer(producer.WithCompressMsgBodyOverHowmuch(math.MaxInt32)), messages...)
}
