// Runs jobs and follows them with the RPC client of go-ethereum: go run . URL [TOKEN]. CI runs it against a real service.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/ethereum/go-ethereum/rpc"
)

type job map[string]any

// failure has what an error of the service says in its data.
type failure struct {
	Kind string
	Line int
}

func main() {
	arguments := append(os.Args[1:], "")
	ctx := context.Background()
	client, err := connect(ctx, arguments[0], arguments[1])
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	if err := run(ctx, client); err != nil {
		log.Fatal(err)
	}
}

// connect takes http://, https://, ws://, wss:// or unix:///PATH; the client itself takes a bare path for a Unix socket.
func connect(ctx context.Context, url, token string) (*rpc.Client, error) {
	options := []rpc.ClientOption{}
	if token != "" {
		options = append(options, rpc.WithHeader("Authorization", "Bearer "+token))
	}
	return rpc.DialOptions(ctx, strings.TrimPrefix(url, "unix://"), options...)
}

func run(ctx context.Context, client *rpc.Client) error {
	sal := func(id, script string) job {
		return job{"id": id, "caller_id": "example", "context_id": "example", "script_type": "SAL", "script": script}
	}
	unique := fmt.Sprintf("geth-%d", os.Getpid())

	// Run a script and wait for its output. A parameter that is one object goes by position.
	var output string
	if err := client.CallContext(ctx, &output, "run_job", sal(unique+"-first", "40 + 2")); err != nil {
		return err
	}
	fmt.Println("output:", output)

	// A failed script is an error with a code, and data.
	err := client.CallContext(ctx, &output, "run_job", sal(unique+"-bad", "let x = 1;\nthrow \"no such report\""))
	failed, err := failureOf(err)
	if err != nil {
		return err
	}
	fmt.Printf("failed in line %d: %s\n", failed.Line, failed.Kind)

	// Several calls in one message. Each has an error of its own.
	var version struct{ Name string }
	batch := []rpc.BatchElem{
		{Method: "version", Args: []any{}, Result: &version},
		{Method: "get_job_status", Args: []any{"nowhere"}, Result: &output},
	}
	if err := client.BatchCallContext(ctx, batch); err != nil {
		return err
	}
	missing, err := failureOf(batch[1].Error)
	if err != nil {
		return err
	}
	fmt.Println("batch:", version.Name, missing.Kind)

	if !client.SupportsSubscriptions() {
		fmt.Println("no subscriptions over HTTP")
		return nil
	}
	return follow(ctx, client, sal(unique+"-followed", "6 * 7"))
}

// follow shows what happens to a job. The client calls hero_subscribe and hero_unsubscribe for the namespace "hero".
func follow(ctx context.Context, client *rpc.Client, one job) error {
	events := make(chan struct{ Event, Status string })
	wanted := map[string]any{"job_ids": []any{one["id"]}, "after": ""}
	following, err := client.Subscribe(ctx, "hero", events, "jobs", wanted)
	if err != nil {
		return err
	}
	defer following.Unsubscribe()
	for _, method := range []string{"create_job", "start_job"} {
		var given any = one
		if method == "start_job" {
			given = one["id"]
		}
		if err := client.CallContext(ctx, nil, method, given); err != nil {
			return err
		}
	}
	for {
		select {
		case event := <-events:
			if event.Event == "job" {
				fmt.Println("event:", event.Status)
			}
			if event.Status == "finished" {
				return nil
			}
		case err := <-following.Err():
			// Subscribe again with the last cursor as "after": the client does not do so.
			return fmt.Errorf("the subscription has ended: %w", err)
		}
	}
}

func failureOf(err error) (failure, error) {
	var said rpc.DataError
	if !errors.As(err, &said) {
		return failure{}, fmt.Errorf("an error of the service is expected, not %v", err)
	}
	data, _ := said.ErrorData().(map[string]any)
	kind, _ := data["kind"].(string)
	line, _ := data["line"].(float64)
	return failure{Kind: kind, Line: int(line)}, nil
}
