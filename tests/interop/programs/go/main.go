// SPDX-License-Identifier: Apache-2.0

// The interop cases with the official Go client: what each does is in ../cases.py.
package main

import (
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/apache/rocketmq-client-go/v2/rlog"
)

// sideBySide is how many cases run at a time: their clients share a small machine.
const sideBySide = 8

var programs = map[string]func(*run){
	"plain":        plain,
	"selector":     selector,
	"batch":        batch,
	"batchover":    batchOver,
	"delay":        delay,
	"timer":        timer,
	"transaction":  transaction,
	"push":         push,
	"sql":          sql,
	"orderly":      orderly,
	"broadcasting": broadcasting,
	"retry":        retry,
	"reply":        reply,
	"trace":        trace,
	"rebalance":    rebalance,
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: programs CASE[,CASE...] NAMESRV_ADDR PREFIX")
		os.Exit(2)
	}
	rlog.SetLogLevel("warn")
	names := strings.Split(os.Args[1], ",")
	transcripts := make([]string, len(names))
	places := make(chan struct{}, sideBySide)
	var all sync.WaitGroup
	for i, name := range names {
		program := programs[name]
		if program == nil {
			fmt.Fprintln(os.Stderr, "no case", name)
			os.Exit(2)
		}
		all.Add(1)
		go func(i int, name string) {
			defer all.Done()
			places <- struct{}{}
			defer func() { <-places }()
			transcripts[i] = newRun(name, os.Args[2], os.Args[3]).transcript(program)
		}(i, name)
	}
	all.Wait()
	for i, name := range names {
		fmt.Printf("== %s\n%s", name, transcripts[i])
	}
}
