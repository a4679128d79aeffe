package push_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/etrainer/backend/pkg/push"
	"github.com/etrainer/backend/pkg/push/logpush"
)

// A program makes one sender for each provider, and one courier.
func Example() {
	log := slog.New(slog.DiscardHandler)
	courier := push.NewCourier(
		push.NewSender(logpush.New(push.FCM, log), push.SenderOptions{}),
		push.NewSender(logpush.New(push.Expo, log), push.SenderOptions{}),
	)
	outcomes := courier.Deliver(context.Background(), []push.Delivery{
		{FCMToken: "a phone", Title: "Daily English Practice"},
		{ExpoToken: "ExponentPushToken[b]", Title: "Daily English Practice"},
		{Title: "Daily English Practice"},
	})
	for _, o := range outcomes {
		fmt.Printf("%t %q %q\n", o.Accepted(), o.Provider, o.Reason)
	}
	// Output:
	// true "fcm" ""
	// true "expo" ""
	// false "" "no_device"
}
