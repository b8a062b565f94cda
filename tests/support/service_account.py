"""The key of a service account, as Google's console writes it into a JSON file."""

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

RSA_KEY = rsa.generate_private_key(65537, 2048)
KEY = {
    "type": "service_account",
    "client_email": "mail@project.iam.gserviceaccount.com",
    "private_key": RSA_KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode(),
    "private_key_id": "key-1",
    "token_uri": "https://oauth2.googleapis.com/token",
}
