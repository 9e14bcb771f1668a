// chat-token.mjs -- POST /chat-token for Clerk: the token with which the signed-in visitor's chat speaks to Postern.
// Tested with Node 22, express 5.3.0, @clerk/express 2.1.69 and jsonwebtoken 9.0.3, against a stand-in for Clerk's API.
// In your application:
//   app.use(clerkMiddleware({ authorizedParties: ["https://shop.acme.example"] })) // your origins, all of them
//   app.post("/chat-token", chatToken)
//
// 1. The email is the primary one of the user whom Clerk's session names, asked of Clerk's backend API. Nothing else that
//    the browser sends is read; a custom claim or unsafeMetadata is no place to take it from.
// 2. Only an email that Clerk has verified is signed.
// 3. The secret stays here: in the environment, in no page, no log and no repository.
import { clerkClient, getAuth } from "@clerk/express";
import jwt from "jsonwebtoken";

const { POSTERN_SIGNING_KEY: KEY, POSTERN_SIGNING_KID: KID } = process.env;
if (!(KEY?.length >= 32)) throw new Error("POSTERN_SIGNING_KEY is missing or too short");

export async function chatToken(req, res) {
  res.set("Cache-Control", "no-store");
  if ((req.get("Sec-Fetch-Site") ?? "same-origin") !== "same-origin") { // a page of another site asks
    return res.status(403).json({ error: "cross_site" });
  }
  const { userId } = getAuth(req);
  if (!userId) return res.status(401).json({ error: "sign_in_required" });
  const { primaryEmailAddress: primary } = await clerkClient.users.getUser(userId);
  if (primary?.verification?.status !== "verified") return res.status(403).json({ error: "email_not_verified" });
  // A to Z only: toLowerCase() of the whole makes a k of the Kelvin sign too, and so one person of two.
  const email = primary.emailAddress.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase());
  res.json({ token: jwt.sign({ email }, KEY, { algorithm: "HS256", expiresIn: 3600, ...(KID && { keyid: KID }) }) });
}
