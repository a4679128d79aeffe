// Package fcm is the adapter to Firebase Cloud Messaging, HTTP v1: one POST
// for each message to /v1/projects/PROJECT/messages:send, many at once over
// HTTP/2, with an OAuth2 token that a service account signs for.
//
// The variables are those of the Node backend. FIREBASE_SERVICE_ACCOUNT_PATH
// names the file from Google's console and comes first; without it
// FIREBASE_PROJECT_ID, FIREBASE_CLIENT_EMAIL and FIREBASE_PRIVATE_KEY count,
// where \n in the key stands for a line's end.
package fcm
