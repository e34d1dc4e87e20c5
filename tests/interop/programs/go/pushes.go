// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

const (
	steps = 8
	// Clients look for each other every 20 s; sooner means that the broker has told them.
	told = 15 * time.Second
)

type expectation struct {
	expression string
	count      int
}

func push(r *run) {
	p := r.producer()
	tags := []string{"TagA", "TagB", "TagC"}
	for number := 0; number < 12; number++ {
		_, err := p.SendSync(context.Background(), r.message(fmt.Sprintf("p%02d", number), tags[number%3]))
		must(err)
	}
	filter(r, consumer.TAG, []expectation{{"*", 12}, {"TagA || TagC", 8}, {"TagB", 4}})
}

func sql(r *run) {
	p := r.producer()
	for number := 0; number < 10; number++ {
		tag, color := "TagB", "blue"
		if number < 5 {
			tag = "TagA"
		}
		if number%2 == 0 {
			color = "red"
		}
		message := r.message(fmt.Sprint("s", number), tag)
		message.WithProperty("number", fmt.Sprint(number))
		message.WithProperty("color", color)
		_, err := p.SendSync(context.Background(), message)
		must(err)
	}
	filter(r, consumer.SQL92, []expectation{
		{"number BETWEEN 3 AND 5 OR number > 8", 4},
		{"color = 'red' AND NOT (number < 4)", 3},
		{"TAGS = 'TagA' AND missing IS NULL", 5},
		{"number IN ('0', '7')", 2},
	})
}

func filter(r *run, kind consumer.ExpressionType, expected []expectation) {
	inboxes := make([]*inbox, len(expected))
	for i, one := range expected {
		inboxes[i] = &inbox{}
		wanted := consumer.MessageSelector{Type: kind, Expression: one.expression}
		r.consumer(fmt.Sprint("group", i), r.topic(), wanted, inboxes[i].listen)
	}
	for i, one := range expected {
		inboxes[i].await(one.count)
	}
	time.Sleep(linger)
	for i, one := range expected {
		r.say("%s: %s", one.expression, list(inboxes[i].keys()))
	}
}

func orderly(r *run) {
	queues := r.queues(r.topic())
	p := r.producer(producer.WithQueueSelector(producer.NewManualQueueSelector()))
	for step := 0; step < steps; step++ {
		for order, queue := range queues {
			message := r.message(fmt.Sprintf("%d-%d", order, step), "TagA")
			message.Queue = queue
			_, err := p.SendSync(context.Background(), message)
			must(err)
		}
	}
	var mutex sync.Mutex
	seen := map[string][]string{}
	hasSuspended := false
	count := 0
	r.consumer("group", r.topic(), byTag("*"),
		func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
			mutex.Lock()
			defer mutex.Unlock()
			key := messages[0].GetKeys()
			parts := strings.Split(key, "-")
			seen[parts[0]] = append(seen[parts[0]], parts[1])
			count++
			if key == "2-3" && !hasSuspended {
				hasSuspended = true
				return consumer.SuspendCurrentQueueAMoment, nil
			}
			return consumer.ConsumeSuccess, nil
		}, consumer.WithConsumerOrder(true))
	await(deadline, func() bool {
		mutex.Lock()
		defer mutex.Unlock()
		return count >= len(queues)*steps+1
	})
	mutex.Lock()
	defer mutex.Unlock()
	lines := []string{}
	for order, words := range seen {
		lines = append(lines, "order "+order+": "+strings.Join(words, " "))
	}
	r.sayAll(lines)
}

func broadcasting(r *run) {
	names := []string{"first", "second"}
	inboxes := []*inbox{{}, {}}
	for _, one := range inboxes {
		r.consumer("group", r.topic(), byTag("*"), one.listen, consumer.WithConsumerModel(consumer.BroadCasting))
	}
	p := r.producer()
	for number := 0; number < 8; number++ {
		_, err := p.SendSync(context.Background(), r.message(fmt.Sprint("b", number), "TagA"))
		must(err)
	}
	for _, one := range inboxes {
		await(deadline, func() bool { return len(unique(one.keys())) == 8 })
	}
	time.Sleep(linger)
	for i, one := range inboxes {
		keys := one.keys()
		text := list(keys)
		if len(keys) != 8 {
			text += fmt.Sprint(" in ", len(keys))
		}
		r.say("%s: %s", names[i], text)
	}
}

// share is the client's own strategy, which lets see how many queues of the topic it gave.
type share struct {
	mutex  sync.Mutex
	topic  string
	queues int
}

func (s *share) allocate(group, client string, all []*primitive.MessageQueue, clients []string) []*primitive.MessageQueue {
	mine := consumer.AllocateByAveragely(group, client, all, clients)
	// The topic of the group's retries is shared out in the same way.
	if len(all) > 0 && all[0].Topic == s.topic {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		s.queues = len(mine)
	}
	return mine
}

func (s *share) has(count int) bool { return s.count() == count }

func (s *share) count() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.queues
}

func rebalance(r *run) {
	consume := func(s *share) interface{ Shutdown() error } {
		arrived := &inbox{}
		return r.consumer("group", r.topic(), byTag("*"), arrived.listen, consumer.WithStrategy(s.allocate))
	}
	first, second := &share{topic: r.topic(), queues: -1}, &share{topic: r.topic(), queues: -1}
	consume(first)
	await(deadline, func() bool { return first.has(4) })
	r.say("alone: %d", first.count())
	another := consume(second)
	atOnce := await(told, func() bool { return first.has(2) && second.has(2) })
	r.say("shared: %d %d", first.count(), second.count())
	must(another.Shutdown())
	atOnce = await(told, func() bool { return first.has(4) }) && atOnce
	r.say("alone again: %d", first.count())
	r.say("told at once=%t", atOnce)
}

func retry(r *run) {
	var mutex sync.Mutex
	times := map[string][]string{}
	once := []time.Time{}
	isOwnTopic := true
	r.consumer("group", r.topic(), byTag("*"),
		func(ctx context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
			mutex.Lock()
			defer mutex.Unlock()
			message := messages[0]
			key := message.GetKeys()
			times[key] = append(times[key], fmt.Sprint(message.ReconsumeTimes))
			isOwnTopic = isOwnTopic && message.Topic == r.topic()
			if key == "once" {
				once = append(once, time.Now())
				if message.ReconsumeTimes > 0 {
					return consumer.ConsumeSuccess, nil
				}
				return consumer.ConsumeRetryLater, nil
			}
			if concurrently, ok := primitive.GetConcurrentlyCtx(ctx); ok {
				concurrently.DelayLevelWhenNextConsume = 1
			}
			return consumer.ConsumeRetryLater, nil
		}, consumer.WithMaxReconsumeTimes(2))
	p := r.producer()
	for _, key := range []string{"once", "never"} {
		_, err := p.SendSync(context.Background(), r.message(key, "TagA"))
		must(err)
	}
	await(deadline, func() bool {
		mutex.Lock()
		defer mutex.Unlock()
		return len(once) >= 2 && len(times["never"]) >= 3
	})
	mutex.Lock()
	r.say("once: times %s", strings.Join(times["once"], " "))
	r.say("once: not before 10 s=%t", len(once) > 1 && once[1].Sub(once[0]) >= 10*time.Second)
	r.say("never: times %s", strings.Join(times["never"], " "))
	r.say("topic is its own=%t", isOwnTopic)
	mutex.Unlock()

	dead := &inbox{}
	topic := "%DLQ%" + r.name("group")
	// The topic is made by the first dead letter; its route may be a moment behind.
	await(deadline, func() bool { return r.hasRoute(topic) })
	r.consumer("reader", topic, byTag("*"), dead.listen)
	dead.await(1)
	for _, message := range dead.all() {
		r.say("dead letter key=%s body=%s", message.GetKeys(), message.Body)
	}
}

func (r *run) hasRoute(topic string) (found bool) {
	defer func() {
		if recover() != nil {
			found = false
		}
	}()
	queues := r.queues(topic)
	sort.Slice(queues, func(i, j int) bool { return queues[i].QueueId < queues[j].QueueId })
	return len(queues) > 0
}
