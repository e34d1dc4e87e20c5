// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// A broker asks once in 30 s by default, and only about what is 6 s old.
const transactionDeadline = 150 * time.Second

// asked are the keys that the broker has asked about.
type asked struct {
	mutex sync.Mutex
	keys  []string
}

func decision(message *primitive.Message) primitive.LocalTransactionState {
	if strings.Contains(message.GetKeys(), "commit") {
		return primitive.CommitMessageState
	}
	return primitive.RollbackMessageState
}

func (a *asked) ExecuteLocalTransaction(message *primitive.Message) primitive.LocalTransactionState {
	if strings.HasPrefix(message.GetKeys(), "later") {
		return primitive.UnknowState
	}
	return decision(message)
}

func (a *asked) CheckLocalTransaction(message *primitive.MessageExt) primitive.LocalTransactionState {
	// Apache notes an end up to 3 s late and may ask about what it knows already.
	if key := keyOf(&message.Message); strings.HasPrefix(key, "later") {
		a.mutex.Lock()
		defer a.mutex.Unlock()
		a.keys = append(a.keys, key)
	}
	return decision(&message.Message)
}

func (a *asked) list() string {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return list(a.keys)
}

func transaction(r *run) {
	questions := new(asked)
	sender, err := rocketmq.NewTransactionProducer(questions, r.producerOptions()...)
	must(err)
	must(sender.Start())
	r.shutdowns = append(r.shutdowns, sender.Shutdown)
	box := r.inbox("consumer", tags("*"))
	for _, kind := range []string{"commit", "rollback", "later-commit", "later-rollback"} {
		for number := 0; number < 2; number++ {
			half := r.message(fmt.Sprint(kind, "-", number), "TagA")
			result, err := sender.SendMessageInTransaction(background, half)
			must(err)
			r.saySend(keyOf(half), result.SendResult, nil)
		}
	}
	words := func(text string) int { return len(strings.Fields(text)) }
	await(transactionDeadline, func() bool { return words(questions.list()) == 4 && words(list(box.keys())) == 4 })
	time.Sleep(3 * linger)
	r.say("asked: %s", questions.list())
	r.say("received: %s", list(box.keys()))
}
