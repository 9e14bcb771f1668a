"""flask_app.py PORT: a shop with sessions, whose sign-in believes everybody, around data/signers/python."""
import os
import sys

from chat_token import chat_token
from flask import Flask, request, session

app = Flask(__name__)
app.secret_key = os.urandom(32)
app.register_blueprint(chat_token)


@app.post("/sign-in")
def sign_in():
    session["user"] = request.get_json()
    return ""


app.run("127.0.0.1", int(sys.argv[1]))
