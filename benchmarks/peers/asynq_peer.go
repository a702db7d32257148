// Asynq: the no-op as a task with a kept result; the commands of protocol.py, and `worker CONCURRENCY`.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/hibiken/asynq"
)

const queue = "bench"

// Asynq has no call that waits for a result: whoever wants one asks again and again.
const askEvery = 200 * time.Microsecond

func main() {
	connection, err := asynq.ParseRedisURI(os.Getenv("BENCH_REDIS_URL"))
	check(err)
	command, arguments := os.Args[1], os.Args[2:]
	if command == "worker" {
		work(connection, number(arguments[0]))
		return
	}
	client := asynq.NewClient(connection)
	inspector := asynq.NewInspector(connection)
	switch command {
	case "submit":
		submit(client)
		began := time.Now()
		for n := 1; n < number(arguments[0]); n++ {
			submit(client)
		}
		answer(map[string]float64{"seconds": time.Since(began).Seconds()})
	case "roundtrip":
		timed(number(arguments[0]), func() { await(inspector, submit(client)) })
	case "burst":
		timed(number(arguments[1]), func() {
			ids := make([]string, number(arguments[0]))
			for n := range ids {
				ids[n] = submit(client)
			}
			for _, id := range ids {
				await(inspector, id)
			}
		})
	default:
		check(fmt.Errorf("unknown command %q", command))
	}
}

func submit(client *asynq.Client) string {
	task := asynq.NewTask("answer", nil)
	info, err := client.Enqueue(task, asynq.Queue(queue), asynq.Retention(time.Hour), asynq.MaxRetry(0))
	check(err)
	return info.ID
}

func await(inspector *asynq.Inspector, id string) {
	for {
		info, err := inspector.GetTaskInfo(queue, id)
		check(err)
		if info.State == asynq.TaskStateCompleted {
			if string(info.Result) != "42" {
				check(fmt.Errorf("expected 42, got %q", info.Result))
			}
			return
		}
		time.Sleep(askEvery)
	}
}

func work(connection asynq.RedisConnOpt, concurrency int) {
	server := asynq.NewServer(connection, asynq.Config{
		Concurrency: concurrency,
		Queues:      map[string]int{queue: 1},
		// How long it sleeps when its queue was empty; a second without this.
		TaskCheckInterval: time.Millisecond,
		LogLevel:          asynq.ErrorLevel,
	})
	check(server.Start(asynq.HandlerFunc(func(_ context.Context, task *asynq.Task) error {
		_, err := task.ResultWriter().Write([]byte(strconv.Itoa(40 + 2)))
		return err
	})))
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	<-ended
	server.Shutdown()
}

func timed(times int, act func()) {
	var ms []float64
	for n := 0; n < times+3; n++ {
		began := time.Now()
		act()
		if n >= 3 {
			ms = append(ms, float64(time.Since(began).Microseconds())/1000)
		}
	}
	answer(map[string][]float64{"ms": ms})
}

func answer(figures any) {
	check(json.NewEncoder(os.Stdout).Encode(figures))
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
