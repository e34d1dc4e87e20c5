// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

const (
	patient = 30 * time.Second
	short   = 3 * time.Second
	// Twice what the client waits before it sends its first heartbeat.
	introduced = 2 * time.Second
	// A broker asks about a transaction once in 30 s by default, and only about what is 6 s old.
	checkDeadline = 150 * time.Second
	checkLinger   = 3 * time.Second
)

// decider answers for the transactions of a case.
type decider struct {
	mutex sync.Mutex
	asked []string
}

func decision(key string) primitive.LocalTransactionState {
	if strings.Contains(key, "commit") {
		return primitive.CommitMessageState
	}
	return primitive.RollbackMessageState
}

func (d *decider) ExecuteLocalTransaction(message *primitive.Message) primitive.LocalTransactionState {
	if strings.HasPrefix(message.GetKeys(), "later") {
		return primitive.UnknowState
	}
	return decision(message.GetKeys())
}

func (d *decider) CheckLocalTransaction(message *primitive.MessageExt) primitive.LocalTransactionState {
	// Apache notes an end up to 3 s late and may ask about what it knows already.
	if strings.HasPrefix(message.GetKeys(), "later") {
		d.mutex.Lock()
		defer d.mutex.Unlock()
		d.asked = append(d.asked, message.GetKeys())
	}
	return decision(message.GetKeys())
}

func (d *decider) all() []string {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return append([]string(nil), d.asked...)
}

func transaction(r *run) {
	decides := &decider{}
	p, err := rocketmq.NewTransactionProducer(decides, r.producerOptions()...)
	must(err)
	must(p.Start())
	r.shutdowns = append(r.shutdowns, p.Shutdown)
	arrived := r.push("consumer", "*")
	for _, kind := range []string{"commit", "rollback", "later-commit", "later-rollback"} {
		for number := 0; number < 2; number++ {
			key := fmt.Sprintf("%s-%d", kind, number)
			result, err := p.SendMessageInTransaction(context.Background(), r.message(key, "TagA"))
			if err != nil {
				r.say("%s: %s", key, outcome(nil, err))
			} else {
				r.say("%s: %s", key, outcome(result.SendResult, nil))
			}
		}
	}
	await(checkDeadline, func() bool { return len(unique(decides.all())) == 4 && len(unique(arrived.keys())) == 4 })
	time.Sleep(checkLinger)
	r.say("asked: %s", list(decides.all()))
	r.say("received: %s", list(arrived.keys()))
}

func reply(r *run) {
	answers := r.producer(producer.WithGroupName(r.name("answers")))
	r.consumer("consumer", r.topic(), byTag("*"),
		func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
			for _, message := range messages {
				if message.GetKeys() == "silent" {
					continue
				}
				answer, err := consumer.CreateReplyMessage(message, nil)
				if err == nil {
					answer.Body = []byte("reply to " + string(message.Body))
					_, err = answers.SendSync(context.Background(), answer)
				}
				if err != nil {
					fmt.Fprintln(os.Stderr, "reply:", err)
				}
			}
			return consumer.ConsumeSuccess, nil
		})
	asks := r.producer()
	// The client tells the brokers that it knows of itself a second after its start, and then each 30 s; a reply that
	// comes before that finds nobody. So it has to know them sooner: by a message that nobody answers.
	_, err := asks.SendSync(context.Background(), r.message("silent", "TagA"))
	must(err)
	time.Sleep(introduced)
	got, err := asks.Request(context.Background(), patient, r.message("question", "TagA"))
	must(err)
	r.say("answered: %s", got.Body)
	got, err = asks.Request(context.Background(), short, r.message("silent", "TagA"))
	switch {
	case err != nil && strings.Contains(err.Error(), "timeout"):
		r.say("silent: time-out")
	case err != nil:
		r.say("silent: %v", err)
	default:
		r.say("silent: %s", got.Body)
	}
}

func trace(r *run) {
	log := r.name("log")
	config := func(group string) *primitive.TraceConfig {
		return &primitive.TraceConfig{
			TraceTopic:   log,
			GroupName:    r.name(group),
			Access:       primitive.Local,
			Resolver:     r.resolver(),
			NamesrvAddrs: r.namesrv,
		}
	}
	arrived := &inbox{}
	r.consumer("traced", r.topic(), byTag("*"), arrived.listen, consumer.WithTrace(config("traced-trace")))
	p := r.producer(producer.WithTrace(config("producer-trace")))
	r.saySend("t0", p, r.message("t0", "TagA"))
	arrived.await(1)

	traces := &inbox{}
	r.consumer("reader", log, byTag("*"), traces.listen)
	await(deadline, func() bool { return len(entries(traces)) >= 3 })
	r.sayAll(entries(traces))
}

func entries(traces *inbox) []string {
	found := []string{}
	for _, message := range traces.all() {
		for _, entry := range strings.Split(strings.TrimRight(string(message.Body), "\x02"), "\x02") {
			field := strings.Split(entry, "\x01")
			switch field[0] {
			case "Pub":
				found = append(found, fmt.Sprintf("Pub key=%s region=%s success=%s", field[7], field[2], field[13]))
			case "SubBefore":
				found = append(found, fmt.Sprintf("SubBefore key=%s region=%s retries=%s", field[7], field[2], field[6]))
			case "SubAfter":
				found = append(found, fmt.Sprintf("SubAfter key=%s success=%s", field[5], field[4]))
			default:
				found = append(found, "unknown entry "+field[0])
			}
		}
	}
	return found
}
