// Runs jobs: go run ./example URL [TOKEN]. CI runs it against a real service.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"hero"
)

func main() {
	arguments := append(os.Args[1:], "")
	client, err := hero.New(arguments[0], arguments[1])
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	job := func(script string) hero.Job {
		return hero.Job{"caller_id": "example", "context_id": "example", "script_type": "SAL", "script": script}
	}

	// Run a script and wait for its output.
	output, err := client.RunJob(ctx, job("40 + 2"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("output:", output)

	// A failed script is an error with a kind, a message and a line.
	_, err = client.RunJob(ctx, job("let x = 1;\nthrow \"no such report\""))
	var failed *hero.Error
	if !errors.As(err, &failed) || failed.Code != hero.CodeJobFailed {
		log.Fatal(err)
	}
	fmt.Printf("failed in line %d: %s\n", failed.Data.Line, failed.Data.Kind)

	// Submit a job now, and wait for its result later.
	jobID, err := client.SubmitJob(ctx, job("6 * 7"))
	if err != nil {
		log.Fatal(err)
	}
	output, err = client.JobOutput(ctx, jobID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("later:", output)
}
