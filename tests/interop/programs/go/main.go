// SPDX-License-Identifier: Apache-2.0

// The interop cases as programs against the public API of rocketmq-client-go; tests/interop/programs/cases.py says what
// each does and prints. Arguments: CASE[,CASE...] NAMESRV_ADDR PREFIX.
package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
)

// Cases mostly wait, so more of them run than there are cores.
const sideBySide = 8

var programs = map[string]func(*run){
	"plain":        plain,
	"selector":     selector,
	"batch":        batch,
	"batchover":    batchOver,
	"delay":        delay,
	"transaction":  transaction,
	"push":         push,
	"sql":          sql,
	"orderly":      orderly,
	"broadcasting": broadcasting,
	"retry":        retry,
	"reply":        reply,
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: programs CASE[,CASE...] NAMESRV_ADDR PREFIX")
		os.Exit(2)
	}
	names := strings.Split(os.Args[1], ",")
	for _, name := range names {
		if programs[name] == nil {
			fmt.Fprintln(os.Stderr, "no such case:", name)
			os.Exit(2)
		}
	}
	var printing sync.Mutex
	var running sync.WaitGroup
	places := make(chan struct{}, sideBySide)
	for _, name := range names {
		running.Add(1)
		go func(name string) {
			defer running.Done()
			places <- struct{}{}
			defer func() { <-places }()
			transcript := newRun(name, os.Args[2], os.Args[3]).transcript(programs[name])
			printing.Lock()
			defer printing.Unlock()
			fmt.Printf("== %s\n%s", name, transcript)
		}(name)
	}
	running.Wait()
}
