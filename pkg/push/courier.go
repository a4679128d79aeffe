package push

import (
	"context"
	"sync"
)

// Delivery is one notification for one person, on whichever device they have.
type Delivery struct {
	FCMToken  string // "" = none
	ExpoToken string // "" = none
	Title     string
	Body      string
	Data      map[string]string
}

// Outcome is what became of a Delivery.
type Outcome struct {
	Result
	Provider string // that answered last; "" = none was asked
	Token    string // that was used last
	Dead     []Dead // tokens that were found dead on the way
}

// Dead is a token that its provider no longer knows.
type Dead struct{ Provider, Token string }

// Courier delivers by FCM, else by Expo: an Expo token is used when there is
// no FCM token, or when the FCM token turns out to be of no use.
type Courier struct{ senders map[string]*Sender }

// NewCourier returns a Courier over senders of different providers. Tokens of
// a provider that is not among them come back as NotConfigured.
func NewCourier(senders ...*Sender) *Courier {
	c := &Courier{senders: map[string]*Sender{}}
	for _, s := range senders {
		c.senders[s.provider.Name()] = s
	}
	return c
}

// Deliver sends and returns one outcome for each delivery, in order. Both
// providers work at the same time.
func (c *Courier) Deliver(ctx context.Context, deliveries []Delivery) []Outcome {
	outcomes := make([]Outcome, len(deliveries))
	var first, second []int
	for i, d := range deliveries {
		switch {
		case d.FCMToken != "":
			first = append(first, i)
		case d.ExpoToken != "":
			second = append(second, i)
		default:
			outcomes[i].Reason = NoDevice
		}
	}
	var running sync.WaitGroup
	running.Go(func() { c.send(ctx, FCM, deliveries, first, outcomes) })
	running.Go(func() { c.send(ctx, Expo, deliveries, second, outcomes) })
	running.Wait()
	c.send(ctx, Expo, deliveries, fallback(deliveries, first, outcomes), outcomes)
	return outcomes
}

// fallback lists the deliveries that FCM cannot make and Expo may.
func fallback(deliveries []Delivery, tried []int, outcomes []Outcome) []int {
	var out []int
	for _, i := range tried {
		if deliveries[i].ExpoToken == "" {
			continue
		}
		switch outcomes[i].Reason {
		case Unregistered, InvalidToken, WrongSender, NotConfigured:
			out = append(out, i)
		}
	}
	return out
}

// send delivers some by one provider.
func (c *Courier) send(ctx context.Context, provider string, deliveries []Delivery, places []int, outcomes []Outcome) {
	sender, ok := c.senders[provider]
	messages := make([]Message, len(places))
	for i, place := range places {
		d := deliveries[place]
		messages[i] = Message{Token: d.FCMToken, Title: d.Title, Body: d.Body, Data: d.Data}
		if provider == Expo {
			messages[i].Token = d.ExpoToken
		}
	}
	if !ok {
		for _, place := range places {
			outcomes[place].Result = Result{Reason: NotConfigured, Detail: "there is no account for " + provider}
		}
		return
	}
	for i, result := range sender.Send(ctx, messages) {
		o := &outcomes[places[i]]
		o.Result, o.Provider, o.Token = result, provider, messages[i].Token
		if result.Reason == Unregistered {
			o.Dead = append(o.Dead, Dead{Provider: provider, Token: messages[i].Token})
		}
	}
}
