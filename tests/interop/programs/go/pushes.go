// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

// What a filter takes.
type filter struct {
	expression string
	count      int
}

func push(r *run) {
	sender := r.producer()
	for number := 0; number < 12; number++ {
		tag := []string{"TagA", "TagB", "TagC"}[number%3]
		_, err := sender.SendSync(background, r.message(fmt.Sprintf("p%02d", number), tag))
		must(err)
	}
	r.filters(consumer.TAG, []filter{{"*", 12}, {"TagA || TagC", 8}, {"TagB", 4}})
}

func sql(r *run) {
	sender := r.producer()
	for number := 0; number < 10; number++ {
		tag, color := "TagA", "red"
		if number >= 5 {
			tag = "TagB"
		}
		if number%2 == 1 {
			color = "blue"
		}
		made := r.message(fmt.Sprint("s", number), tag)
		made.WithProperty("number", fmt.Sprint(number))
		made.WithProperty("color", color)
		_, err := sender.SendSync(background, made)
		must(err)
	}
	r.filters(consumer.SQL92, []filter{
		{"number BETWEEN 3 AND 5 OR number > 8", 4},
		{"color = 'red' AND NOT (number < 4)", 3},
		{"TAGS = 'TagA' AND missing IS NULL", 5},
		{"number IN ('0', '7')", 2},
	})
}

func (r *run) filters(kind consumer.ExpressionType, filters []filter) {
	var boxes []*inbox
	for i, filter := range filters {
		by := consumer.MessageSelector{Type: kind, Expression: filter.expression}
		boxes = append(boxes, r.inbox(fmt.Sprint("group", i), by))
	}
	for i, filter := range filters {
		boxes[i].await(filter.count)
	}
	time.Sleep(linger)
	for i, filter := range filters {
		r.say("%s: %s", filter.expression, list(boxes[i].keys()))
	}
}

func orderly(r *run) {
	const orders, steps = 4, 8
	sender := r.producer(producer.WithQueueSelector(byNumber(func(message *primitive.Message) int {
		return int(message.GetKeys()[0] - '0')
	})))
	for step := 0; step < steps; step++ {
		for order := 0; order < orders; order++ {
			_, err := sender.SendSync(background, r.message(fmt.Sprintf("%d-%d", order, step), "TagA"))
			must(err)
		}
	}
	var mutex sync.Mutex
	var seen [orders][]string
	suspended, count := false, 0
	listen := func(_ context.Context, message *primitive.MessageExt) consumer.ConsumeResult {
		mutex.Lock()
		defer mutex.Unlock()
		key := keyOf(&message.Message)
		seen[key[0]-'0'] = append(seen[key[0]-'0'], key[2:])
		count++
		if key == "2-3" && !suspended {
			suspended = true
			return consumer.SuspendCurrentQueueAMoment
		}
		return consumer.ConsumeSuccess
	}
	must(r.start("group", r.base, tags("*"), listen, consumer.WithConsumerOrder(true)))
	await(deadline, func() bool {
		mutex.Lock()
		defer mutex.Unlock()
		return count > orders*steps
	})
	mutex.Lock()
	defer mutex.Unlock()
	for order, texts := range seen {
		r.say("order %d: %s", order, strings.Join(texts, " "))
	}
}

func broadcasting(r *run) {
	const count = 8
	names := []string{"first", "second"}
	var boxes []*inbox
	for range names {
		boxes = append(boxes, r.inbox("group", tags("*"), consumer.WithConsumerModel(consumer.BroadCasting)))
	}
	sender := r.producer()
	for number := 0; number < count; number++ {
		_, err := sender.SendSync(background, r.message(fmt.Sprint("b", number), "TagA"))
		must(err)
	}
	for _, box := range boxes {
		box.await(count)
	}
	time.Sleep(linger)
	for i, name := range names {
		keys := boxes[i].keys()
		text := list(keys)
		if len(keys) != count {
			text += fmt.Sprint(" in ", len(keys))
		}
		r.say("%s: %s", name, text)
	}
}

// What a listener that fails was given: reconsume times of each key, and more.
type failures struct {
	mutex      sync.Mutex
	times      map[string][]string
	once       []time.Time
	topic      string
	otherTopic bool
}

func (f *failures) listen(ctx context.Context, message *primitive.MessageExt) consumer.ConsumeResult {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	key := keyOf(&message.Message)
	f.times[key] = append(f.times[key], fmt.Sprint(message.ReconsumeTimes))
	f.otherTopic = f.otherTopic || message.Topic != f.topic
	if key == "once" {
		f.once = append(f.once, time.Now())
		if message.ReconsumeTimes > 0 {
			return consumer.ConsumeSuccess
		}
		return consumer.ConsumeRetryLater
	}
	if now, ok := primitive.GetConcurrentlyCtx(ctx); ok {
		now.DelayLevelWhenNextConsume = 1
	}
	return consumer.ConsumeRetryLater
}

func (f *failures) count(key string) int {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return len(f.times[key])
}

func retry(r *run) {
	seen := &failures{times: map[string][]string{}, topic: r.base}
	must(r.start("group", r.base, tags("*"), seen.listen, consumer.WithMaxReconsumeTimes(2)))
	sender := r.producer()
	for _, key := range []string{"once", "never"} {
		_, err := sender.SendSync(background, r.message(key, "TagA"))
		must(err)
	}
	await(deadline, func() bool { return seen.count("once") >= 2 && seen.count("never") >= 3 })
	seen.mutex.Lock()
	r.say("once: times %s", strings.Join(seen.times["once"], " "))
	r.say("once: not before 10 s=%t", len(seen.once) > 1 && seen.once[1].Sub(seen.once[0]) >= 10*time.Second)
	r.say("never: times %s", strings.Join(seen.times["never"], " "))
	r.say("topic is its own=%t", !seen.otherTopic)
	seen.mutex.Unlock()

	dead := new(inbox)
	// The topic is made by the first dead letter; without its route a consumer of this client does not start.
	await(deadline, func() bool { return r.start("reader", "%DLQ%"+r.name("group"), tags("*"), dead.take) == nil })
	dead.await(1)
	for _, message := range dead.all() {
		r.say("dead letter key=%s body=%s", keyOf(&message.Message), message.Body)
	}
}

func reply(r *run) {
	answers := r.producer(producer.WithGroupName(r.name("answers")))
	must(r.start("consumer", r.base, tags("*"), func(_ context.Context, question *primitive.MessageExt) consumer.ConsumeResult {
		if keyOf(&question.Message) == "silent" {
			return consumer.ConsumeSuccess
		}
		answer, err := consumer.CreateReplyMessage(question, nil)
		if err == nil {
			// CreateReplyMessage of 2.1.2 takes a body and leaves the message without it.
			answer.Body = append([]byte("reply to "), question.Body...)
			_, err = answers.SendSync(background, answer)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "--- %s: no reply: %v\n", r.base, err)
		}
		return consumer.ConsumeSuccess
	}))
	asks := r.producer()
	got, err := asks.Request(background, 20*time.Second, r.message("question", "TagA"))
	must(err)
	r.say("answered: %s", got.Body)
	got, err = asks.Request(background, 3*time.Second, r.message("silent", "TagA"))
	switch {
	case err != nil && strings.Contains(err.Error(), "timeout"):
		r.say("silent: time-out")
	case err != nil:
		r.say("silent: failed: %v", err)
	default:
		r.say("silent: %s", got.Body)
	}
}
