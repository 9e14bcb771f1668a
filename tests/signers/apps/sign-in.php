<?php
// A sign-in that believes everybody, for the session that data/signers/php reads.
session_start();
session_regenerate_id(true);
$_SESSION['user'] = json_decode(file_get_contents('php://input'), true, 8, JSON_THROW_ON_ERROR);
