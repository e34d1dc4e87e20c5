// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

const (
	// Brokers round timer messages down to this (timerPrecisionMs).
	precision       = time.Second
	fourDaysSeconds = 4 * 24 * 3600
)

// arrival is a message, and when it came.
type arrival struct {
	at      time.Time
	message *primitive.MessageExt
}

type arrivals struct {
	mutex sync.Mutex
	byKey map[string]arrival
}

func arriving(r *run) *arrivals {
	found := &arrivals{byKey: map[string]arrival{}}
	r.consumer("consumer", r.topic(), byTag("*"),
		func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
			found.mutex.Lock()
			defer found.mutex.Unlock()
			for _, message := range messages {
				found.byKey[message.GetKeys()] = arrival{time.Now(), message}
			}
			return consumer.ConsumeSuccess, nil
		})
	return found
}

func (a *arrivals) await(count int) map[string]arrival {
	await(deadline, func() bool {
		a.mutex.Lock()
		defer a.mutex.Unlock()
		return len(a.byKey) >= count
	})
	a.mutex.Lock()
	defer a.mutex.Unlock()
	copied := map[string]arrival{}
	for key, value := range a.byKey {
		copied[key] = value
	}
	return copied
}

func delay(r *run) {
	found := arriving(r)
	p := r.producer()
	levels := []time.Duration{0, time.Second, 5 * time.Second, 10 * time.Second}
	for level := range levels {
		message := r.message(fmt.Sprint("d", level), "TagA")
		message.WithDelayTimeLevel(level)
		r.saySend(message.GetKeys(), p, message)
	}
	lines := []string{}
	for key, one := range found.await(len(levels)) {
		level, _ := strconv.Atoi(key[1:])
		kept := one.message.GetProperty(primitive.PropertyDelayTimeLevel)
		if kept == "" {
			kept = "0"
		}
		late := one.at.UnixNano()/1e6 - one.message.BornTimestamp
		lines = append(lines, fmt.Sprintf("received key=%s not early=%t level=%s",
			key, late >= levels[level].Milliseconds(), kept))
	}
	r.sayAll(lines)
}

func timer(r *run) {
	found := arriving(r)
	p := r.producer()
	start := time.Now()
	due := map[string]time.Time{
		"seconds": start.Add(2 * time.Second),
		"millis":  start.Add(1500 * time.Millisecond),
		"deliver": start.Add(3 * time.Second),
	}
	deliver := strconv.FormatInt(due["deliver"].UnixNano()/1e6, 10)
	for _, one := range [][3]string{
		{"seconds", "TIMER_DELAY_SEC", "2"},
		{"millis", "TIMER_DELAY_MS", "1500"},
		{"deliver", "TIMER_DELIVER_MS", deliver},
		{"far", "TIMER_DELAY_SEC", strconv.Itoa(fourDaysSeconds)},
	} {
		message := r.message(one[0], "TagA")
		message.WithProperty(one[1], one[2])
		r.saySend(one[0], p, message)
	}
	lines := []string{}
	for key, one := range found.await(len(due)) {
		lines = append(lines, fmt.Sprintf("received key=%s not early=%t", key, !one.at.Before(due[key].Add(-precision))))
	}
	r.sayAll(lines)
}
