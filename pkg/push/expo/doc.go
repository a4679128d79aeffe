// Package expo is the adapter to Expo's push service: POST
// /--/api/v2/push/send with up to 100 messages, and /--/api/v2/push/getReceipts
// with up to 300 ids of accepted messages, where Expo tells later what Apple
// and Google said.
//
// Bodies over 1,024 bytes are sent with gzip, as Expo's own SDK does. An access
// token is only needed when the Expo account asks for one.
package expo
