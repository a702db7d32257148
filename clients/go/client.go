// Package hero calls a supervisor of the Hero actor runtime by JSON-RPC over HTTP. It needs the standard library only.
package hero

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// CodeJobFailed is the code of an Error whose script failed, timed out or was stopped.
const CodeJobFailed = 1004

const codeJobState = 1003

// Pauses between two tries of a call that may be repeated.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// Client makes calls; several goroutines may use it.
type Client struct {
	// Patience is for how long a call is repeated whose answer was lost, if that is safe. New sets a minute.
	Patience time.Duration

	address string
	token   string
	http    *http.Client
}

// Error is what the service answered instead of a result.
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    struct {
		Kind string `json:"kind"`
		Hint string `json:"hint"`
		Line int    `json:"line"`
	} `json:"data"`
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s (code %d, %s)", e.Message, e.Code, e.Data.Kind)
}

// Job has the fields of a job by their names, such as "script_type"; docs/reference/methods.md lists them.
type Job map[string]any

// New makes a client of a supervisor. The address is http://HOST:PORT, https://HOST:PORT or unix:///PATH of its socket;
// on the socket the token may be empty.
func New(address, token string) (*Client, error) {
	parsed, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	client := &Client{Patience: time.Minute, address: address, token: token, http: http.DefaultClient}
	switch parsed.Scheme {
	case "http", "https":
	case "unix":
		dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", parsed.Path)
		}
		client.http = &http.Client{Transport: &http.Transport{DialContext: dial}}
		client.address = "http://localhost/rpc"
	default:
		return nil, fmt.Errorf("%s: the address begins with http, https or unix", address)
	}
	return client, nil
}

// Call calls a method once and puts its result into result, a pointer or nil. It returns an *Error if the service
// answered with one, and another error if the answer was lost: the call may then have taken effect.
func (c *Client) Call(ctx context.Context, method string, params, result any) error {
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	var answer struct {
		Result json.RawMessage `json:"result"`
		Error  *Error          `json:"error"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return fmt.Errorf("no JSON-RPC at %s: %s", c.address, response.Status)
	}
	if answer.Error != nil {
		return answer.Error
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(answer.Result, result)
}

// CallAgain is Call for a method that may be called twice (x-repeat in rpc.discover): it goes on for c.Patience while
// answers are lost.
func (c *Client) CallAgain(ctx context.Context, method string, params, result any) error {
	until, pause := time.Now().Add(c.Patience), firstPause
	for {
		err := c.Call(ctx, method, params, result)
		var refused *Error
		if err == nil || errors.As(err, &refused) || ctx.Err() != nil || time.Now().Add(pause).After(until) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, longestPause)
	}
}

// RunJob runs a job and returns its output. A job without an id gets one, so that a lost connection runs nothing twice.
func (c *Client) RunJob(ctx context.Context, job Job) (string, error) {
	var output string
	err := c.CallAgain(ctx, "run_job", map[string]any{"job": withID(job)}, &output)
	return output, err
}

// SubmitJob creates and starts a job and returns its id, without waiting for its end.
func (c *Client) SubmitJob(ctx context.Context, job Job) (string, error) {
	var jobID string
	if err := c.CallAgain(ctx, "create_job", map[string]any{"job": withID(job)}, &jobID); err != nil {
		return "", err
	}
	err := c.CallAgain(ctx, "start_job", map[string]any{"job_id": jobID}, nil)
	var refused *Error
	if errors.As(err, &refused) && refused.Code == codeJobState {
		err = nil // an earlier call, whose answer was lost, has started it
	}
	return jobID, err
}

// JobOutput waits until a job has ended, and returns its output.
func (c *Client) JobOutput(ctx context.Context, jobID string) (string, error) {
	wait := map[string]any{"job_ids": []string{jobID}, "timeout": 30}
	for {
		var waited struct {
			Done bool `json:"done"`
		}
		if err := c.CallAgain(ctx, "wait_jobs", wait, &waited); err != nil {
			return "", err
		}
		if waited.Done {
			break
		}
	}
	var output string
	err := c.CallAgain(ctx, "get_job_output", map[string]any{"job_id": jobID}, &output)
	return output, err
}

func withID(job Job) Job {
	made := Job{}
	for name, value := range job {
		made[name] = value
	}
	if made["id"] == nil {
		bits := make([]byte, 16)
		if _, err := rand.Read(bits); err != nil {
			panic(err) // the system has no random numbers
		}
		made["id"] = fmt.Sprintf("%x", bits)
	}
	return made
}
